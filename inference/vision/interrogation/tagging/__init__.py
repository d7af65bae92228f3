"""Tags by booru taggers, and their ratings."""
