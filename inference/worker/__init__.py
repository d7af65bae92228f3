"""The worker process of one device: commands in, engine steps, events out."""
