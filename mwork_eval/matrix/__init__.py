"""The matrix of ablation settings: plan it and compute its cells."""
