"""Outpaint: how far a picture grows, two methods of painting what is new, and the answer.

Imports nothing by itself.
"""
