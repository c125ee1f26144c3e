"""A static site that compares the results of many models."""
