"""What language the layers of a model think in."""
