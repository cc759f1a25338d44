-- MyScale's full-text index, for TextSearch().
ALTER TABLE chunks ADD INDEX text_index text TYPE fts
