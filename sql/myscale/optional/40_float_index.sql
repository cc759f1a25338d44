-- SCANN is the index of the open-source edition; MSTG exists in the cloud only. IP: the inner product.
ALTER TABLE chunks ADD VECTOR INDEX float_index vector TYPE SCANN('metric_type=IP')
