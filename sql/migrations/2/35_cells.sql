-- Groups of near vectors: a version of them is trained on the rows of its time and never changed. Numbers go on from one
-- version to the next, so a chunk's cell tells which version it was assigned by.
CREATE TABLE IF NOT EXISTS cells
(
    version UInt32 COMMENT 'the highest one holds for new chunks',
    cell UInt32 COMMENT 'from 1; chunks.cell',
    first_cell UInt32 COMMENT 'the lowest number of the version',
    last_cell UInt32 COMMENT 'its highest number',
    centroid Array(Float32) COMMENT 'the mean direction of its vectors, of length 1',
    trained_rows UInt64 COMMENT 'how many chunks were visible when the version was trained',
    similarity Float32 COMMENT 'the mean cosine of chunks and their centroids at that time, 1 at best'
)
ENGINE = MergeTree
ORDER BY (version, cell)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
