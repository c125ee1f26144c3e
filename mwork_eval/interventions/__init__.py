"""Interventions on neurons: masks on weights and on activations."""
