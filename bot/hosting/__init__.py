"""How Easel lives on its host: where its files lie, its secrets, its health, the service manager.

What `easel health` and `easel --help` need is stdlib only, as they run often and must be quick.
"""
