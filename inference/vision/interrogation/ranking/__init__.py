"""Phrases ranked by how well CLIP finds them in an image."""
