"""The job store, in parts: `queue` → `attempts` → `delivery`, with `reading` and `retention`."""

from storage.jobs.store import JobStore

__all__ = ["JobStore"]
