"""Expressions that users type: text to a syntax tree, and the numbers that trees stand for."""
