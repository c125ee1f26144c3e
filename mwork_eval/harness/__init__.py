"""Everything that meets lm-eval: mwork-hf, registration, task data and metrics."""
