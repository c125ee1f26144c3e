"""What lm-eval loads: the model, the tasks and the metrics."""
