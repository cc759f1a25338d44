-- One of the numbers is among the whole numbers given.
arrayExists(x -> arrayExists(y -> x = y, {value_#:Array(Int64)}), /* values */)
