"""What any bot needs: logs, metrics, child processes, Discord's errors."""
