-- The numbers with a fraction that a name of the metadata holds.
multiIf(
    metadata = '{}', CAST([], 'Array(Float64)'),
    JSONType(metadata, {name_#:String}) = 'Double', [JSONExtractFloat(metadata, {name_#:String})],
    JSONType(metadata, {name_#:String}) = 'Array',
    arrayMap(
        item -> JSONExtractFloat(item),
        arrayFilter(item -> JSONType(item) = 'Double', JSONExtractArrayRaw(metadata, {name_#:String}))
    ),
    CAST([], 'Array(Float64)')
)
