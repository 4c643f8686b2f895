"""What an interaction means: the conversation, the usage, the statistics."""
