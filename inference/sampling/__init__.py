"""Noise schedules, samplers and noise sources: pure arithmetic over one row of a batch."""
