"""A model on one page that works offline: where its parameters are, and what is in them."""
