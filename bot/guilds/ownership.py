"""Whose a job is, and what others may do with it."""

from __future__ import annotations


def may_use(presser: str, owner: str) -> bool:
    """Whether a member may work on with a job: only its owner may."""
    return presser == owner


def may_delete(presser: str, owner: str, *, manages_messages: bool) -> bool:
    """Whether a member may take a result away: its owner, and who manages the channel."""
    return presser == owner or manages_messages


def may_cancel(presser: str, owner: str, *, manages_messages: bool) -> bool:
    """Whether a member may stop a job: its owner, and who manages the channel."""
    return presser == owner or manages_messages
