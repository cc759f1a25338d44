-- An answer for each question; nothing is kept. dictGet sends the questions of a block in one request, once: the engine
-- would try ten times else. A filter is JSON, '' for none. error is the server's sentence on a question that it refuses, with
-- the status 422; with any other but 200 it may be asked again.
CREATE OR REPLACE DICTIONARY rag_answers
(
    question String,
    filter String,
    answer String,
    answered Bool,
    confidence Float64,
    citations Array(Tuple(source String, start UInt64, end UInt64, line UInt64, page Nullable(UInt64), text String, score Float64)),
    status UInt16,
    error String
)
PRIMARY KEY question, filter
SOURCE(HTTP(NAME rag_server URL {answers_url:String}))
LAYOUT(COMPLEX_KEY_DIRECT())
SETTINGS(http_max_tries = 1, http_receive_timeout = 150)
