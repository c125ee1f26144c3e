"""Neuron sets: algebra, positions, random controls, and their file."""
