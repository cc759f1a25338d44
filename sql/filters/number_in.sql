-- One of the numbers is among the numbers given.
arrayExists(x -> arrayExists(y -> x = y, {value_#:Array(Float64)}), /* values */)
