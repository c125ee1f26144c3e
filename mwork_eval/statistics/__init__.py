"""Statistics of numbers: intervals, p-values, and what they can tell."""
