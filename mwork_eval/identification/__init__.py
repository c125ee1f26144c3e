"""Which language a text is in: by its script where that tells, else by an identifier, else not at all."""
