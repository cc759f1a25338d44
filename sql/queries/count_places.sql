-- What has arrived in places of generations that are about to be published. The checksum is the sum over the rows,
-- modulo 2^64; sql/store/places.py computes the same.
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
WHERE generation IN {generations:Array(UInt64)}
GROUP BY generation
