"""Tells pictures that are not for everybody; a process of its own, asked through its pipes."""
