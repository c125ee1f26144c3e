"""The report as one HTML file: numbers drawn, answers side by side, nothing loaded from elsewhere."""
