-- Asks for a token; whoever asked first has it.
INSERT INTO lease (token, holder, expires_at, released)
SELECT {token:UInt64}, {holder:UUID}, now64(3) + toIntervalMillisecond({milliseconds:UInt32}), 0
