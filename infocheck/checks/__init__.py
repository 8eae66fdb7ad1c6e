"""One file a check: this folder is the table of contents of a report."""
