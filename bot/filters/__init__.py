"""What may not be asked for: words, and pictures that a detector or a member points at."""
