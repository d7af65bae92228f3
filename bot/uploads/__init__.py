"""Pictures from strangers, decoded in processes that can do nothing else.

A file that a member sends is read by a child process with no files, no network, little memory and
little time, over two pipes of frames. What comes back is checked before it is believed: a file
of nothing but pixels, or one of the refusals that the bot knows.
"""
