"""What goes wrong with requests to Discord: refused, or applied and then never answered."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any

RETRY_AFTER = 0.2  # seconds

WORDS = {
    10008: "Unknown Message",
    10015: "Unknown Webhook",
    40060: "Interaction has already been acknowledged.",
    50001: "Missing Access",
    50013: "Missing Permissions",
    50027: "Invalid Webhook Token",
}


@dataclass
class Fault:
    """Something to go wrong with the next requests of one kind."""

    method: str
    #: A regular expression, searched in the path.
    path: str
    #: What to answer instead; None applies the request and drops its answer.
    status: int | None = None
    code: int = 0
    times: int = 1
    #: Only requests that carry files.
    files: bool = False

    def fits(self, method: str, path: str, files: bool) -> bool:
        right = method == self.method and (files or not self.files)
        return self.times > 0 and right and bool(re.search(self.path, path))

    def body(self) -> dict[str, Any]:
        if self.status == 429:
            return {"message": "limited", "retry_after": RETRY_AFTER, "global": False}
        return {"message": WORDS.get(self.code, "fault"), "code": self.code}


@dataclass
class Faults:
    """The faults in wait, and a share of answers that are lost by chance."""

    planned: list[Fault] = field(default_factory=list)
    #: Of the requests that change something, how many lose their answer after it was applied.
    drop_share: float = 0.0
    chance: random.Random = field(default_factory=random.Random)
    dropped: int = 0

    def plan(self, fault: Fault) -> Fault:
        """Let the next requests of a kind go wrong."""
        self.planned.append(fault)
        return fault

    def take(self, method: str, path: str, *, files: bool) -> Fault | None:
        """Give the fault of this request, which uses it up."""
        for fault in self.planned:
            if fault.fits(method, path, files):
                fault.times -= 1
                return fault
        if method != "GET" and self.chance.random() < self.drop_share:
            return Fault(method, path)
        return None
