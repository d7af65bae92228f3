"""Maps for ControlNets that arithmetic alone makes of a picture: NumPy, SciPy and Pillow."""
