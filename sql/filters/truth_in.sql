-- One of the truth values is among those given.
arrayExists(x -> has({value_#:Array(UInt8)}, x), /* values */)
