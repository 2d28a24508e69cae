"""Initialization: what a scheme makes of a parameter, and the random numbers that it draws."""
