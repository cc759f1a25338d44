-- MyScale's index over the sign bits, which are a binary vector to it; Hamming distance, exact.
ALTER TABLE chunks ADD VECTOR INDEX sign_index signs TYPE BinaryFLAT('metric_type=Hamming')
