"""PDF files in, their text with the place of every line out, and pictures of their pages."""
