"""One named run: settings in, exchanges or answers through, a summary out; and the registry of those running."""
