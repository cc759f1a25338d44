-- The metadata has null under this name, or in its list, or does not have the name.
multiIf(
    NOT JSONHas(metadata, {name_#:String}), true,
    JSONType(metadata, {name_#:String}) = 'Null', true,
    JSONType(metadata, {name_#:String}) = 'Array',
    arrayExists(item -> JSONType(item) = 'Null', JSONExtractArrayRaw(metadata, {name_#:String})),
    false
)
