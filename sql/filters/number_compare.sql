-- One of the values is less, at most, greater or at least; texts by their UTF-8 bytes.
arrayExists(
    x -> multiIf(
        {test_#:String} = '$lt', x < {value_#:Float64},
        {test_#:String} = '$lte', x <= {value_#:Float64},
        {test_#:String} = '$gt', x > {value_#:Float64},
        x >= {value_#:Float64}
    ),
    /* values */
)
