"""The only truth: jobs, deliveries and settings in one SQLite file, pictures in one folder."""
