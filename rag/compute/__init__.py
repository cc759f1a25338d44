"""How many threads compute what, and the one door to torch."""
