"""Benchmarks of lm-eval in several languages: how their tasks' names code a language, and which task is which."""
