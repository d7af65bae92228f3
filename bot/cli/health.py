"""`health`: whether the bot on this data directory is well, by exit code and one line.

It imports the standard library and nothing else, and opens neither the database nor a port.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bot.support.health import check_health

EXIT_HEALTHY, EXIT_UNHEALTHY = 0, 1


def print_health(data_dir: Path) -> int:
    """Print how the bot is; return 0 when it is healthy, else 1."""
    verdict = check_health(data_dir, time.time())
    mark = "healthy" if verdict.is_healthy else "unhealthy"
    sys.stdout.write(f"{mark}: {' '.join(verdict.words.split())}\n")
    return EXIT_HEALTHY if verdict.is_healthy else EXIT_UNHEALTHY
