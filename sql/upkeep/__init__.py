"""What a store needs now and then: cells for its size, copies of it, and a look at what it takes."""
