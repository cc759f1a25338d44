-- The metadata has this name.
JSONHas(metadata, {name_#:String})
