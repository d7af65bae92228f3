"""Checkpoints and other networks: their files, how they are loaded, and how they are run."""
