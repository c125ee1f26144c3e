"""Weight deltas: what training changed in the weights, put into a model and merged."""
