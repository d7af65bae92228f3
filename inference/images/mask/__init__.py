"""Masks: read, drawn, described in words, filled, blended."""
