"""Compare two result folders, document by document, and judge."""
