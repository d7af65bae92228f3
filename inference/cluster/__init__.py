"""Workers on the nodes of a Ray cluster; the bot's side is `inference.api.workers.remote_pool`.

`__main__` is the link, a process beside the bot: it holds one `Seat` for each worker and speaks to
the bot by frames. A seat speaks to a `SeatHost`, which on a node, as a Ray actor, runs today's
`LocalWorkerPool` of one worker. Only `ray_seats` imports Ray.
"""
