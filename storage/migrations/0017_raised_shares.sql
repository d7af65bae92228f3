-- Jobs under way with a larger share than ordinary ones: only beside those has a new job of the
-- server anything to do with how shares are bounded.
CREATE INDEX job_raised_share ON job (guild, owner, share)
 WHERE share > 1 AND finished_at IS NULL;
