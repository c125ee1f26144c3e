"""What one pass over a corpus records of every neuron: scores, activations, responses, attributions."""
