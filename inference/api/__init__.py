"""The face of inference: what can be asked of workers, and what they answer."""
