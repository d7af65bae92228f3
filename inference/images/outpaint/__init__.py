"""Canvases that grow, and what is laid on their empty part."""
