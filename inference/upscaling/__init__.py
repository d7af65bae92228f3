"""Upscalers: which there are, how they are loaded, and how a picture goes through them in tiles."""
