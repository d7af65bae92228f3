"""Model files: found, read, hashed, identified, downloaded."""
