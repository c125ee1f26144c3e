"""Read answers, and compare them with the right ones."""
