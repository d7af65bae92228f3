"""`/history`: pages of a member's pictures, and what can be done with the one picked."""
