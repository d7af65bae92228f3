"""Checkpoints as folders in diffusers' layout: which files count, and what they are."""
