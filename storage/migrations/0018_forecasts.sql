-- A place in the queue adds up what the jobs ahead are thought to take, out of the index alone.
DROP INDEX job_queued;
CREATE INDEX job_queued ON job (owner, priority DESC, id, ahead, cost, forecast_seconds)
 WHERE state = 'queued';
