"""Repositories of neuron sets and results on a hub: references, the index of a repository, fetching, uploading."""
