"""Weights that come to a device as they are needed."""
