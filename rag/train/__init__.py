"""Documents in, an encoder trained for its quantization out."""
