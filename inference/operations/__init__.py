"""Operations: one file a kind of job, each a coroutine from the job to its pictures.

What stands before a `yield` is the plan, what follows it the finish; the engine runs what is
yielded. Imports nothing by itself.
"""
