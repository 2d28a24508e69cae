"""Models described rather than saved: specs, factories, configurations."""
