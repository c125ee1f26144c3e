"""The benchmarks: their data, documents and metrics."""
