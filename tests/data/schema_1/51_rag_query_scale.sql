-- The scale of a float query vector: its largest magnitude becomes 2047, the widest code that keeps Int32 exact.
CREATE FUNCTION IF NOT EXISTS rag_query_scale AS (query) ->
    if(arrayMax(arrayMap(x -> abs(x), query)) = 0, 1., arrayMax(arrayMap(x -> abs(x), query)) / 2047)
