-- The k chunks that fit each question best, likewise.
CREATE OR REPLACE DICTIONARY rag_hits
(
    question String,
    k UInt16,
    filter String,
    hits Array(Tuple(source String, start UInt64, end UInt64, line UInt64, page Nullable(UInt64), text String, score Float64, document_id String, chunk_index UInt64)),
    status UInt16,
    error String
)
PRIMARY KEY question, k, filter
SOURCE(HTTP(NAME rag_server URL {hits_url:String}))
LAYOUT(COMPLEX_KEY_DIRECT())
SETTINGS(http_max_tries = 1, http_receive_timeout = 150)
