"""`setup`: from nothing to a bot on a server, step by step in a terminal or by options alone.

Nothing else of the bot imports this folder: it brings the libraries that draw on a terminal.
"""
