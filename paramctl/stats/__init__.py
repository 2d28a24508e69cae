"""What the values of parameters come to: moments, extremes, counts, quantiles."""
