"""A checkpoint: the files a model is loaded from, read without loading it."""
