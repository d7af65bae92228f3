"""What any bot needs: logs, metrics, Discord's addresses and errors."""
