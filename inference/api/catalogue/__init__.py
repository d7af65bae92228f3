"""The models that people really use: what they are for, what they need, where they come from.

`catalogue.toml` is the data; this reads it with the standard library alone.
"""
