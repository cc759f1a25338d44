-- The chunk belongs to a document of which the manifest knows what the condition asks.
generation IN (SELECT manifest.generation FROM manifest WHERE manifest.kind = 'publish' AND /* condition */)
