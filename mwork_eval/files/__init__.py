"""Files as the tool reads and writes them: under limits, checked by digest, whole or not at all."""
