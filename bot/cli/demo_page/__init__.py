"""What the demo adds to the simulator's page: the Apps menu of a message, and the newest answer."""
