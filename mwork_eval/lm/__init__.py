"""The lm-eval model mwork-hf, and how it computes fast."""
