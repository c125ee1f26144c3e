"""Results: stored scores, and the tables made of them."""
