"""What concerns a node as a whole: how it is drained, and the word lists that it is sent."""
