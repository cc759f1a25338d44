-- One of the texts is among those given.
arrayExists(x -> has({value_#:Array(String)}, x), /* values */)
