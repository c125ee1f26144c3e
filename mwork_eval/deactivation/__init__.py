"""Deactivation: masks on weights."""
