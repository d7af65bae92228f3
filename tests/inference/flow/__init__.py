"""Flow families against diffusers' own pipelines, on tiny checkpoints of the real classes."""
