"""What vLLM loads in each of its processes: weights that are edited as they stream by, and a report of it."""
