"""Scoring: one instrumented forward, attention in blocks, and the scores of every structure by three methods."""
