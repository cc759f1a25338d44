-- The whole numbers that a name of the metadata holds.
multiIf(
    metadata = '{}', CAST([], 'Array(Int64)'),
    JSONType(metadata, {name_#:String}) = 'Int64', [JSONExtractInt(metadata, {name_#:String})],
    JSONType(metadata, {name_#:String}) = 'Array',
    arrayMap(
        item -> JSONExtractInt(item),
        arrayFilter(item -> JSONType(item) = 'Int64', JSONExtractArrayRaw(metadata, {name_#:String}))
    ),
    CAST([], 'Array(Int64)')
)
