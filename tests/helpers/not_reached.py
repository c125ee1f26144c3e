"""Architectures in which a score or a mask is not what zeroing the neuron gives, with the reason."""

NOT_REACHED: dict[str, str] = {
    "deepseek_v4": "a row of its one projection is a key and a value, also of several tokens at once",
    "jetmoe": "the projections q and o are experts, which a router picks for each token",
    "zamba": "layers share one block of attention and feed-forward, and a neuron of one is a neuron of all",
    "zamba2": "layers share one block of attention and feed-forward, and a neuron of one is a neuron of all",
    "zaya": "values are of two tokens, and queries and keys are mixed by convolutions",
}
"""By the type or its variant. A type is here exactly if its row in `mwork_eval/models/architectures.yaml` says so."""
