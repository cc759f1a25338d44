"""Web pages in, their readable text out: HTML's parser without its tree, and what a page shows of its elements."""
