"""What moderators are told and decide: reports, results that are held, the way out and the end."""
