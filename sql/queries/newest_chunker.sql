-- What cut the document of a file that was published last, at an epoch. The row that deletes a document names what had cut
-- it, long ago perhaps: it counts where no other is left.
SELECT chunker
FROM manifest
WHERE epoch <= {epoch:UInt64} AND startsWith(chunker, 'structure-')
ORDER BY kind = 'publish' DESC, epoch DESC, document_id
LIMIT 1
