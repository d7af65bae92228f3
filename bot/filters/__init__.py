"""The prompt filter: words, patterns and ages that a prompt may not name."""
