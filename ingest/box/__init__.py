"""Files in, documents out, read in processes that can do no harm: with limits, without a network, and replaced when they end."""
