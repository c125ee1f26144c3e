"""Reports: arithmetic and drawing on stored results."""
