-- One of the texts matches a regular expression, which was made from a path pattern.
arrayExists(x -> match(x, {value_#:String}), /* values */)
