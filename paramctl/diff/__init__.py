"""How two models differ: in names, shapes, types and ties, and in their values."""
