-- One of the values is less, at most, greater or at least; texts by their UTF-8 bytes.
arrayExists(
    x -> multiIf(
        {test_#:String} = '$lt', x < {value_#:String},
        {test_#:String} = '$lte', x <= {value_#:String},
        {test_#:String} = '$gt', x > {value_#:String},
        x >= {value_#:String}
    ),
    /* values */
)
