-- The title of the document.
[title]
