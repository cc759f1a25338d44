"""A library behind HTTP and the Model Context Protocol: requests in, what the library says out, no logic of its own."""
