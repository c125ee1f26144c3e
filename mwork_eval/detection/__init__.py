"""Detection (PLND): scores, one instrumented forward, corpora, the loop, selection."""
