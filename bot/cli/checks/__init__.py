"""What doctor and setup look at beside the host's own files: Discord, cards, the catalogue."""
