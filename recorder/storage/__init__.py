"""Every file that we write: cassettes and their locks, names and folders, the index of a folder."""
