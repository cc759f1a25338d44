-- The texts that a name of the metadata holds: one, those of a list, or none.
multiIf(
    metadata = '{}', CAST([], 'Array(String)'),
    JSONType(metadata, {name_#:String}) = 'String', [JSONExtractString(metadata, {name_#:String})],
    JSONType(metadata, {name_#:String}) = 'Array',
    arrayMap(
        item -> JSONExtractString(item),
        arrayFilter(item -> JSONType(item) = 'String', JSONExtractArrayRaw(metadata, {name_#:String}))
    ),
    CAST([], 'Array(String)')
)
