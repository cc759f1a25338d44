-- The absolute path of the document.
[manifest.path]
