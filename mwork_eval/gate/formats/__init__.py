"""The check as files and as what continuous integration reads: one module a format."""
