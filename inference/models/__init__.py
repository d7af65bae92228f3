"""Networks other than the denoiser's own: their weights, their loaders and how they are run."""
