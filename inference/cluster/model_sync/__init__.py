"""The models of the bot's host, brought to the nodes of its cluster.

`__main__` runs beside the bot; a `ModelReceiver` on each node, as a Ray actor, takes the pieces.
"""
