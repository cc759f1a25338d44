-- What codes alone tell of the rounding error of vectors whose floats nobody has any more. A number that was not cut lies
-- within half a step of what its code stands for; one whose code is the lowest or the highest may have been cut, unless
-- the range is the vector's own least and greatest value. A vector of zeros has scale 1 and no error.
-- width: half a step of every number, as the length of a vector, for scale 1.
ALTER TABLE chunks UPDATE error = multiIf(
    {own_ranges:UInt8} AND scale = 1 AND arrayAll(code -> code = zero_point, codes), toFloat32(0),
    {own_ranges:UInt8} OR NOT (has(codes, {lowest:Int8}) OR has(codes, 127)), toFloat32(scale * {width:Float64}),
    toFloat32(inf))
WHERE isInfinite(error)
