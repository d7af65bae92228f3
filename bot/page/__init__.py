"""A page in the browser: draw a mask on a picture, look through one's own pictures.

Off unless the host names its public address. Nothing on it is for everyone: each visit begins with
a link that the bot gave one member, and ends with it.
"""
