"""`mwork-vllm`: an engine of vLLM whose weights are edited as it loads them, and proven."""
