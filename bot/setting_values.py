"""Values of settings: read and checked."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit


def split_range(text: str) -> tuple[int, int]:
    """Read `4` or `1-16`; two zeros where it is neither."""
    match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", text.strip())
    return (int(match[1]), int(match[2] or match[1])) if match else (0, 0)


def check_address(value: str, *, secure: str, plain: str) -> str:
    """Check an address that a token is sent to, and give it on.

    Raises:
        ValueError: it is none, or the token would go over the network in the clear.
    """
    parts = urlsplit(value)
    if parts.scheme == secure and parts.hostname:
        return value
    if parts.scheme != plain or not parts.hostname:
        raise ValueError(f"must be an address that begins with {secure}://")
    if not is_loopback(parts.hostname):
        raise ValueError(
            f"plain {plain}:// would send the token in the clear to {parts.hostname}; "
            f"use {secure}://, or an address of this machine"
        )
    return value


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
