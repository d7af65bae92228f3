"""What a prompt means, step by step, and what in it is probably not meant."""
