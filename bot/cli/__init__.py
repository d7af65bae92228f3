"""The commands of the command line, one a file; `main.py` parses and calls them."""
