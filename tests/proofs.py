"""How much of a slow proof runs: a part with the other tests, all of it with `make prove`."""

from __future__ import annotations

import os

#: Set by `make prove`.
IS_WHOLE = os.environ.get("EASEL_PROVE") == "1"


def proof_size(part: int, whole: int) -> int:
    """Return how many cases, kills or examples a proof marked `proof` takes this time."""
    return whole if IS_WHOLE else part
