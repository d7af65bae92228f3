"""The bot: Discord on one side, the queue and the workers on the other."""
