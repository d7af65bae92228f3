"""What can be made of a description: pictures from its words, and repaints of what it names."""
