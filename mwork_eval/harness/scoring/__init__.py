"""Metrics of the tasks, document by document."""
