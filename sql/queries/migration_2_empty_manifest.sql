-- Empties the copy of the manifest, of which a killed migration has written a part: nothing is lost, it is written again.
TRUNCATE TABLE manifest_2
