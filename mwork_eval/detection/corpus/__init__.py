"""Corpora: where texts come from, which documents are used, and the batches they go through the model in."""
