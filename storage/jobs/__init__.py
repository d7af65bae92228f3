"""The job store, in parts: `queue`, `reader`, `deliveries`, `retention`."""

from storage.jobs.store import JobStore

__all__ = ["JobStore"]
