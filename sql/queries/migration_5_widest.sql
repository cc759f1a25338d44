-- The longest vector of one step a dimension, of all calibrations: no vector of any of them has a longer one; 0 for none.
SELECT max(sqrt(arraySum(step -> toFloat64(step) * step, scale))) AS steps FROM calibrations
