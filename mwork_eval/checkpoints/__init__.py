"""The weights of a model as files: where its neurons are in them, and copies with neurons changed."""
