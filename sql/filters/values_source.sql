-- The path of the document as it was given.
[source]
