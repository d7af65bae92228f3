"""Waits under today's placement and the one before, by a simulation of events: no card is needed.

    python -m benchmarks placement [--cards N …] [--load SHARE …] [--hours H]

The rule is the dispatcher's own function. A card does one job after the other, keeps the two
checkpoints used last, and loads others; members ask at random, each for one picture.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from benchmarks.table import show
from bot.dispatcher.placement import (
    JOBS_BEYOND_BATCH,
    LOAD_SECONDS,
    ModelDemand,
    WaitingJob,
    WorkerLoad,
    choose_placement,
    list_passed_over,
)
from inference.api.config import MAX_BATCH

JOB_SECONDS = 2.4  # seconds of a card for a member's job of the mix
CHECKPOINTS, RESIDENT = 12, 2
#: Jobs whose turn it may be, and how many a worker held before.
WINDOW, FORMER_DEPTH = 16, 16
#: Share of the time after which waits are counted, and how long beyond the last job they are.
WARM_SHARE, PATIENCE_SHARE = 0.05, 1.2


@dataclass(eq=False)
class Job:
    """A member's job; of one who asks for no other, so fair order is that of coming."""

    id: str
    model: str
    asked_at: float
    passed_seconds: float = 0.0


@dataclass(eq=False)
class Card:
    """A card with what it has loaded, and what it holds."""

    name: str
    resident: OrderedDict[str, None] = field(default_factory=OrderedDict)
    queue: deque[Job] = field(default_factory=deque)
    job: Job | None = None
    free_at: float = 0.0
    last_model: str | None = None

    @property
    def held(self) -> int:
        """Jobs it holds."""
        return len(self.queue) + (self.job is not None)

    def load_model(self, model: str) -> float:
        """Use a checkpoint; return the seconds that loading it takes."""
        is_loaded = model in self.resident
        self.resident[model] = None
        self.resident.move_to_end(model)
        while len(self.resident) > RESIDENT:
            self.resident.popitem(last=False)
        return 0.0 if is_loaded else LOAD_SECONDS

    def describe_load(self, now: float) -> WorkerLoad:
        """Say what the dispatcher knows of it."""
        models = set(self.resident)
        backlog = max(0.0, self.free_at - now) if self.job else 0.0
        for job in self.queue:
            backlog += JOB_SECONDS + (0.0 if job.model in models else LOAD_SECONDS)
            models.add(job.model)
        room = MAX_BATCH + JOBS_BEYOND_BATCH - self.held
        return WorkerLoad(
            name=self.name,
            held=self.held,
            room=room,
            models=frozenset(models),
            backlog_seconds=backlog,
        )


Rule = Callable[[float, list[Job], list[Card]], tuple[Job, Card] | None]


def former_rule() -> Rule:
    """Give the rule as it was: the emptiest worker, then a job near what it was last given."""

    def choose(now: float, waiting: list[Job], cards: list[Card]) -> tuple[Job, Card] | None:
        free = [card for card in cards if card.held < FORMER_DEPTH]
        if not waiting or not free:
            return None
        card = min(free, key=lambda card: card.held)
        window = waiting[:WINDOW]
        near = (job for job in window if job.model == card.last_model)
        return next(near, window[0]), card

    return choose


def present_rule() -> Rule:
    """Give the dispatcher's rule."""
    demand = ModelDemand()

    def choose(now: float, waiting: list[Job], cards: list[Card]) -> tuple[Job, Card] | None:
        names = frozenset(card.name for card in cards)
        by_id = {job.id: job for job in waiting[:WINDOW]}
        line = [
            WaitingJob(id=job.id, model=job.model, workers=names, passed_seconds=job.passed_seconds)
            for job in by_id.values()
        ]
        loads = [card.describe_load(now) for card in cards]
        placement = choose_placement(line, loads, demand.counts)
        if placement is None:
            return None
        for passed_job in list_passed_over(line, placement):
            by_id[passed_job.id].passed_seconds += JOB_SECONDS
        demand.add_job(placement.job.model)
        card = next(card for card in cards if card.name == placement.worker)
        return by_id[placement.job.id], card

    return choose


@dataclass
class Outcome:
    """What came of a simulation."""

    waits: list[float]
    loads: int

    def describe(self) -> str:
        """Say the mean wait for the start, and how often a job had something loaded."""
        mean = sum(self.waits) / len(self.waits)
        return f"{mean:.1f} ({self.loads / len(self.waits):.2f})"


def simulate(count: int, load: float, rule: Rule, seconds: float, seed: int = 1) -> Outcome:
    """Let members ask for that long, and cards work; waits count until the start."""
    cards = [Card(f"card{number}") for number in range(count)]
    arrivals = _draw_arrivals(count * load / JOB_SECONDS, seconds, seed)
    ends: list[tuple[float, int, Card]] = []
    order, waiting, outcome = itertools.count(), list[Job](), Outcome([], 0)
    next_job = next(arrivals, None)
    while next_job is not None or ends:
        if next_job is not None and (not ends or next_job.asked_at < ends[0][0]):
            now = next_job.asked_at
            waiting.append(next_job)
            next_job = next(arrivals, None)
        else:
            now, _, card = heapq.heappop(ends)
            card.job = None
        if now > seconds * PATIENCE_SHARE:
            held = itertools.chain.from_iterable(card.queue for card in cards)
            outcome.waits += [now - job.asked_at for job in (*waiting, *held)]
            break
        while (choice := rule(now, waiting, cards)) is not None:
            job, card = choice
            waiting.remove(job)
            card.queue.append(job)
            card.last_model = job.model
            for started in _start_jobs([card], now, outcome, seconds * WARM_SHARE):
                heapq.heappush(ends, (started.free_at, next(order), started))
        for started in _start_jobs(cards, now, outcome, seconds * WARM_SHARE):
            heapq.heappush(ends, (started.free_at, next(order), started))
    return outcome


def _start_jobs(cards: list[Card], now: float, outcome: Outcome, warm_at: float) -> Iterator[Card]:
    for card in cards:
        if card.job is None and card.queue:
            card.job = card.queue.popleft()
            load_seconds = card.load_model(card.job.model)
            card.free_at = now + load_seconds + JOB_SECONDS
            if card.job.asked_at >= warm_at:
                outcome.waits.append(now + load_seconds - card.job.asked_at)
                outcome.loads += load_seconds > 0
            yield card


def _draw_arrivals(rate: float, seconds: float, seed: int) -> Iterator[Job]:
    """Draw jobs of checkpoints that are wanted by Zipf's law, at random moments."""
    chance, now = random.Random(seed), 0.0
    models = [f"checkpoint{number}" for number in range(CHECKPOINTS)]
    weights = [1 / (rank + 1) for rank in range(CHECKPOINTS)]
    for number in itertools.count():
        now += chance.expovariate(rate)
        if now > seconds:
            return
        yield Job(f"job{number}", chance.choices(models, weights)[0], now)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cards", type=int, nargs="+", default=[4, 16, 64])
    parser.add_argument("--load", type=float, nargs="+", default=[0.3, 0.6, 0.85])
    parser.add_argument("--hours", type=float, default=1.0)
    arguments = parser.parse_args()
    rows = []
    for count, load in itertools.product(arguments.cards, arguments.load):
        seconds = arguments.hours * 3600
        former = simulate(count, load, former_rule(), seconds)
        present = simulate(count, load, present_rule(), seconds)
        rows.append((f"{count}, {load:.0%}", former.describe(), present.describe()))
    head = ("cards, load of them", "emptiest worker first", "by what is loaded")
    show("Mean wait for the start in seconds (loads a job)", head, rows)
