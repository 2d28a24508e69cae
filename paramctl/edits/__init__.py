"""Lazy edits: each makes a checkpoint of another, and computes no value until one is read."""
