-- The truth values that a name of the metadata holds, as 0 and 1.
multiIf(
    metadata = '{}', CAST([], 'Array(UInt8)'),
    JSONType(metadata, {name_#:String}) = 'Bool', [toUInt8(JSONExtractBool(metadata, {name_#:String}))],
    JSONType(metadata, {name_#:String}) = 'Array',
    arrayMap(
        item -> toUInt8(JSONExtractBool(item)),
        arrayFilter(item -> JSONType(item) = 'Bool', JSONExtractArrayRaw(metadata, {name_#:String}))
    ),
    CAST([], 'Array(UInt8)')
)
