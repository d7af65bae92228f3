"""What a member asks for: who asks, from where, with which images and options."""
