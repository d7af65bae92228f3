"""Prompts: what the words of a request mean, from grammar to embeddings."""
