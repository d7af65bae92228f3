"""Weights that lie in memory in fewer bits than they are computed with."""
