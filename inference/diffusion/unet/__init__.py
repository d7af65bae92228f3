"""The denoising networks of Stable Diffusion: their blocks, compiled for a few sizes."""
