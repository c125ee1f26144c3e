"""Inference: log-likelihoods and greedy generation that compute shared prefixes once and logits only where needed."""
