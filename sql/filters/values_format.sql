-- The format of the document.
[toString(manifest.format)]
