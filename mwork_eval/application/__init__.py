"""What the commands do, from Python: one module a verb."""
