"""Kill anything of a cluster at random moments: programs, nodes, the head, the bot; pull cables.

A head here is a node as well; another lies behind a cable, where one may be laid. What a service
manager does for nodes and head, the harness does: what has ended is started again. At the end every
job must have been done once and shown once; one that was begun again must have been in a worker, or
below a program of its node, that was killed. The end of the bot or of the link is no excuse.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import time
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.inference.api.workers.child import TALLY_FILE
from tests.inference.cluster.cable import Cable
from tests.inference.cluster.ray_cluster import Node, RayCluster
from tests.patience import PATIENCE
from tests.process.chaos import Chaos, Outcome
from tests.process.easel import EaselProcess

#: How often each is struck, of all strokes.
WEIGHTS = {
    "worker": 6,
    "actor": 4,
    "link": 4,
    "bot": 4,
    "cable": 3,
    "raylet": 2,
    "node": 2,
    "head": 1,
}
LOOK = 0.2  # seconds between two looks at whether nodes are up
#: How long a cable may be out: Ray gives a node up after 64 s.
MAX_OUT = 20.0  # seconds
#: How long a service manager may take to start a head again.
MAX_REST = 10.0  # seconds


@dataclass(frozen=True)
class Deed:
    """What a worker on a node noted: that it began a job, or ended it."""

    time: float
    deed: str
    job_id: str
    attempt: int
    #: The worker's process, and the one that started it.
    holders: frozenset[int]


class ClusterChaos(Chaos):
    """Drives an Easel whose workers are on a cluster through so many kills."""

    def __init__(
        self,
        easel: EaselProcess,
        cluster: RayCluster,
        cable: Cable | None,
        **settings: Any,
    ) -> None:
        """Without a cable, none is pulled."""
        super().__init__(easel, **settings)
        self._cluster = cluster
        self._cable = cable
        #: When each process was killed, or what it hung on.
        self._killed_at: defaultdict[int, list[float]] = defaultdict(list)
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> Outcome:
        """Ask and kill, while what has ended is started again, then judge."""
        keeping = [asyncio.create_task(self._keep_node(node)) for node in self._cluster.nodes]
        try:
            return await super().run()
        finally:
            for task in keeping:
                task.cancel()
            await asyncio.gather(*keeping, *self._tasks, return_exceptions=True)

    async def _keep_node(self, node: Node) -> None:
        """Do what a service manager does."""
        pids: set[int] = set()
        while True:
            await asyncio.sleep(LOOK)
            if node.process.poll() is None:
                pids |= set(node.list_processes())
                continue
            self._note_killed(pids)  # also where it ended by itself, as without its head
            pids.clear()
            if node is self._cluster.head:
                await asyncio.sleep(self._chance.uniform(0, MAX_REST))
            with contextlib.suppress(RuntimeError):  # the head is away, or the cable is out
                await asyncio.to_thread(node.start)

    async def _kill(self) -> None:
        kinds = dict(WEIGHTS)
        while True:
            (kind,) = self._chance.choices(list(kinds), list(kinds.values()))
            if await self._strike(kind):
                break
            del kinds[kind]  # there is none just now
        self.outcome.kills[kind] = self.outcome.kills.get(kind, 0) + 1

    async def _strike(self, kind: str) -> bool:
        match kind:
            case "bot":
                await self.easel.bot.kill()
                await self.easel.up()
                return True
            case "cable":
                return self._pull_cable()
            case "head":
                return self._kill_node(self._cluster.head)
            case "raylet" | "node":
                return self._kill_node(self._cluster.nodes[1], only_raylet=kind == "raylet")
            case _:
                return self._kill_program(kind)

    def _kill_program(self, kind: str) -> bool:
        """Kill one program of the link, of the seats' hosts, or of the workers."""
        mark = {"link": "inference.cluster", "actor": "RaySeatHost", "worker": "workers.child"}
        is_link = kind == "link"
        pids = self.easel.bot.children() if is_link else self._cluster.list_processes()
        pids = [pid for pid in pids if mark[kind] in command_of(pid)]
        if not pids:
            return False
        pid = self._chance.choice(pids)
        self._note_killed([pid])
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return True

    def _kill_node(self, node: Node, *, only_raylet: bool = False) -> bool:
        """Kill a node, or what is a node to Ray; with the head all others end, too."""
        if node.process.poll() is not None or self._find_raylet(node) is None:
            return False
        is_head = node is self._cluster.head
        self._note_killed(self._cluster.list_processes() if is_head else node.list_processes())
        raylet = self._find_raylet(node)
        if only_raylet and raylet is not None:
            os.kill(raylet, signal.SIGKILL)
        else:
            node.kill()
        return True

    @staticmethod
    def _find_raylet(node: Node) -> int | None:
        with contextlib.suppress(LookupError, OSError):
            return node.find_raylet()
        return None

    def _pull_cable(self) -> bool:
        if self._cable is None or any(not task.done() for task in self._tasks):
            return False
        self._cable.set_state("down")
        seconds = self._chance.uniform(0, MAX_OUT)
        self._tasks = [asyncio.create_task(self._plug_in(seconds), name="plug in")]
        return True

    async def _plug_in(self, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        finally:
            if self._cable is not None:
                self._cable.set_state("up")

    def _note_killed(self, pids: Collection[int]) -> None:
        for pid in pids:
            self._killed_at[pid].append(time.monotonic())

    async def _settle(self) -> None:
        await asyncio.gather(*self._tasks)
        async with asyncio.timeout(PATIENCE):
            while any(self._find_raylet(node) is None for node in self._cluster.nodes):  # noqa: ASYNC110
                await asyncio.sleep(LOOK)
        await super()._settle()

    def _judge(self, jobs: list[dict[str, Any]]) -> None:
        super()._judge(jobs)
        deeds_by_job = defaultdict(list)
        for deed in sorted(self._read_deeds(), key=lambda deed: deed.time):
            deeds_by_job[deed.job_id].append(deed)
        for deeds in deeds_by_job.values():
            begun = [deed for deed in deeds if deed.deed == "begun"]
            for earlier, later in itertools.pairwise(begun):
                if self._is_excused(earlier, later):
                    self.outcome.repeated += 1
                else:
                    self.outcome.twice.append(f"{earlier} was begun again by {later}")

    def _is_excused(self, earlier: Deed, later: Deed) -> bool:
        """Say whether, when a job was begun again, what had held it had been killed.

        That may have been before it was begun at first: what hangs on a killed node ends a little
        later.
        """
        kills = itertools.chain(*(self._killed_at[pid] for pid in earlier.holders))
        return any(killed_at <= later.time for killed_at in kills)

    def _read_deeds(self) -> list[Deed]:
        lines = []
        for node in self._cluster.nodes:
            path = node.folder / "outbox" / TALLY_FILE
            lines += path.read_text().splitlines() if path.exists() else []
        fields = [line.split() for line in lines]
        return [
            Deed(float(when), deed, job_id, int(attempt), frozenset(map(int, holders)))
            for when, deed, job_id, attempt, *holders in fields
        ]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
