"""Rich Text Format (Microsoft's specification 1.9.1): tokens, code pages, and what of a file is text."""
