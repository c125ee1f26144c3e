"""Sets, scores, deltas and results as a repository that explains itself: its files, its card, and scores for others."""
