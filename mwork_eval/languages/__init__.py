"""The languages: what they are called, and which one a text is in."""
