"""Deactivation: masks on weights and masks on activations."""
