-- A condition that nothing meets.
false
