"""How an image goes through an upscaler in tiles."""
