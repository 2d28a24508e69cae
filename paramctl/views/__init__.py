"""What users see of a checkpoint."""
