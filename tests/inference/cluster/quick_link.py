"""The link as it is, but opening and closing seats within seconds in place of minutes."""

from __future__ import annotations

import sys

from inference.cluster import __main__ as link_main
from inference.cluster import demand, link

OPEN_AFTER, CLOSE_AFTER, LOOK = 1.0, 4.0, 0.5  # seconds
#: Above what Ray takes to join on a busy machine.
JOIN = 60.0  # seconds

if __name__ == "__main__":
    link_main.JOIN_SECONDS = JOIN
    demand.OPEN_AFTER_SECONDS = OPEN_AFTER
    demand.CLOSE_AFTER_SECONDS = CLOSE_AFTER
    link.DEMAND_SECONDS = LOOK
    sys.exit(link_main.main())
