"""What may be wrong with the values of a model, and with its names and shapes."""
