-- What cut the document of a file that was published or deleted last, at an epoch: the newest ingest.
SELECT chunker
FROM manifest
WHERE epoch <= {epoch:UInt64} AND startsWith(chunker, 'structure-')
ORDER BY epoch DESC, document_id
LIMIT 1
