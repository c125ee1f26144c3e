"""What fine-tuned neurons change in the scores of tasks, against the base and against random neurons."""
