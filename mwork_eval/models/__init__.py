"""Models: families, loading, the default model, fingerprints; the only place that knows where weights live."""
