"""Evaluate tasks with lm-eval: documents, examples, answers that are known."""
