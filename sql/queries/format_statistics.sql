-- Documents at an epoch, format by format, the most common one first: how many there are and how large their files were.
SELECT format, count() AS documents, sum(content_bytes) AS bytes
FROM live_documents(epoch = {epoch:UInt64})
GROUP BY format
ORDER BY documents DESC, format
