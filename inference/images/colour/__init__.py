"""Colour spaces, histograms and the correction of colours."""
