-- What the other statements rely on: integer arithmetic on arrays that is exact and does not wrap.
SELECT
    version() AS version,
    dotProduct({query:Array(Int16)}, CAST([127, 127, -128] AS Array(Int8))) AS product,
    bitHammingDistance(CAST('ab' AS FixedString(2)), CAST('aa' AS FixedString(2))) AS distance
