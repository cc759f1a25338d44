-- Published documents whose places are not what the manifest promises; the checksum is that of count_places.sql.
SELECT documents.path AS path
FROM
(
    SELECT generation, path, place_count, place_checksum FROM live_documents(epoch = {epoch:UInt64})
) AS documents
LEFT JOIN
(
    SELECT
        generation,
        count() AS place_count,
        sum((char_start + 1) * (
            char_end * 31 + toUInt64(CRC32(kind)) * 37 + toUInt64(page) * 41 + toUInt64(CRC32(page_label)) * 43
            + toUInt64(reinterpretAsUInt32(left)) * 47 + toUInt64(reinterpretAsUInt32(bottom)) * 53
            + toUInt64(reinterpretAsUInt32(right)) * 59 + toUInt64(reinterpretAsUInt32(top)) * 61
            + toUInt64(CRC32(sheet)) * 67 + toUInt64(first_row) * 71 + toUInt64(first_column) * 73
            + toUInt64(last_row) * 79 + toUInt64(last_column) * 83 + toUInt64(notebook_cell) * 89
            + toUInt64(CRC32(mail_part)) * 97
        )) AS checksum_sum
    FROM places
    GROUP BY generation
) AS found ON documents.generation = found.generation
WHERE documents.place_count != found.place_count OR documents.place_checksum != found.checksum_sum
ORDER BY path
