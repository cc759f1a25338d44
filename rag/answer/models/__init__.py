"""Language models that write answers: one on this machine, or one that a server runs."""
