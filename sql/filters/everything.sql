-- No condition.
true
