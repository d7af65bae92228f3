"""The prompt grammar, and what a job's prompts pull the picture towards: no network in sight."""
