"""Which recorded answer serves a request, when, and how broken. No network."""
