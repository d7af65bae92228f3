"""Transformers that predict a flow, each family in its own words."""
