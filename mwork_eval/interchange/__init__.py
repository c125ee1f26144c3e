"""Neuron sets and statistics in the files of other tools: a module for each format, and one registry."""
