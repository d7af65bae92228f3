"""The samplers, one family a file; each is a coroutine over one row."""
