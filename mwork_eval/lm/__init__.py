"""The lm-eval models mwork-hf and mwork-vllm, what they have in common, and how the first computes fast."""
