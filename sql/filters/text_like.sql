-- One of the texts matches a LIKE pattern.
arrayExists(x -> x LIKE {value_#:String}, /* values */)
