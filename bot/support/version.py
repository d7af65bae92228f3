"""Which version of Easel this is, and what installs its libraries."""

from __future__ import annotations

from bot.support.paths import is_installed
from inference.api.version import DISTRIBUTION_NAME, find_version

__all__ = ["DISTRIBUTION_NAME", "find_version", "install_hint"]


def install_hint(extra: str = "") -> str:
    """Say what installs Easel's libraries anew, or an extra; PyPI's `easel` is a stranger."""
    source, option = (DISTRIBUTION_NAME, "") if is_installed() else (".", "-e ")
    return f"pip install {option}'{source}[{extra}]'" if extra else f"pip install {option}{source}"
