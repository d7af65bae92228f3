"""What holds for every file that is kept: who owns it, and who may read it."""
