"""From a question to a cited answer: quantization, the int8 encoder, retrieval and the answer."""
