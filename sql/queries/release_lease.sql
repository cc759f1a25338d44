-- Gives a token back.
INSERT INTO lease (token, holder, expires_at, released)
SELECT {token:UInt64}, {holder:UUID}, now64(3), 1
