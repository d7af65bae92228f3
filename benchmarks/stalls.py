"""How long the event loop stands still while the worst that can be typed is read.

`python -m benchmarks stalls`. An admin's dearest patterns that can be saved and 200 words, prompts
of 6,000 characters, settings files of 256 KiB and replies are read as the bot reads them, beside a
task that does nothing but turn: the longest time between two of its turns is what a member waits.
Of patterns, those are taken that fit nothing: what fits ends the search.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from itertools import pairwise
from unittest.mock import AsyncMock, Mock

from benchmarks.table import show
from bot.commands.mentions.intent_parser import parse_intent
from bot.errors import BotError
from bot.guilds import GuildSettings, RequestContext
from bot.guilds.policy import GuildPolicy
from bot.guilds.settings import validate_changes
from bot.guilds.yaml_file import read_settings_file
from inference.api.jobs import ImagineJob
from tests.doubles.worst_patterns import MAX_PATTERN_CHARACTERS, search_worst_patterns

PROMPT_CHARACTERS = 6_000
SEARCH_ROUNDS = 600
TRIALS = 3  # of which the best counts: a busy machine holds the loop, too
MAX_PROGRAM = 1_500  # instructions, as a server may save
UNITS = ("ﷺ", "aé漢 b!", "(a", "[a|b]", "a AND ", "n.a.k ", "girl ", "12 years ", "{a|b}", "\n ")
FILES = {
    "lists without end": b"version: 1\nsettings:\n  banned_words: [" + b"a," * 130_000,
    "many names": b"version: 1\nsettings:\n" + b"".join(b"  k%05d: 1\n" % n for n in range(20_000)),
    "a number without end": b"version: 1\nsettings:\n  max_steps: 1" + b":1" * 130_000,
    "brackets without end": b"version: 1\nsettings: " + b"[" * 260_000,
}


def dearest_list() -> tuple[str, ...]:
    """Return patterns that cost as much as a server's may together."""
    saved: list[str] = ["(?:a?){300}!", "(?:.?){150}!"]
    for pattern in search_worst_patterns(50, SEARCH_ROUNDS, MAX_PROGRAM):
        with contextlib.suppress(BotError):
            pattern = f"(?:{pattern})\\x00"
            if len(pattern) > MAX_PATTERN_CHARACTERS:
                continue
            validate_changes({"banned_patterns": [*saved, pattern]})
            saved.append(pattern)
    return tuple(saved)


async def longest_turn(work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Do something beside a turning loop; return its longest turn and its own time, in seconds."""
    turns, ended = [time.perf_counter()], asyncio.Event()

    async def turn() -> None:
        while not ended.is_set():
            await asyncio.sleep(0.001)
            turns.append(time.perf_counter())

    turning = asyncio.ensure_future(turn())
    await asyncio.sleep(0.01)
    start = time.perf_counter()
    with contextlib.suppress(BotError):
        await work()
    seconds = time.perf_counter() - start
    ended.set()
    await turning
    return max(b - a for a, b in pairwise(turns)), seconds


def everything(
    policy: GuildPolicy, settings: GuildSettings
) -> Iterator[tuple[str, Callable[[], Awaitable[object]]]]:
    """Name all that is read."""
    for unit in UNITS:
        prompt = (unit * PROMPT_CHARACTERS)[:PROMPT_CHARACTERS]
        job = ImagineJob(prompt=prompt)
        yield (
            f"a prompt of {unit!r}",
            partial(policy.check_request, settings, RequestContext(), job),
        )

        async def reply(prompt: str = prompt) -> None:
            parse_intent(f"outpaint {prompt}")

        yield f"a reply of {unit!r}", reply
    for name, data in FILES.items():
        yield (
            f"a settings file: {name}",
            partial(asyncio.to_thread, read_settings_file, data[: 256 * 1024]),
        )

    async def save() -> None:
        validate_changes({"banned_patterns": list(settings.banned_patterns)})

    yield "saving the patterns", save


async def measure() -> None:
    """Read everything and print the longest turns."""
    words = tuple(f"word{number} thing" for number in range(200))
    settings = GuildSettings(banned_words=words, banned_patterns=dearest_list())
    policy = GuildPolicy(jobs=Mock(), guilds=Mock(), usage=Mock(), access=AsyncMock())
    with contextlib.suppress(BotError):
        await policy.check_request(settings, RequestContext(), ImagineJob(prompt="loads lists"))
    rows = []
    for name, work in everything(policy, settings):
        turn, seconds = min([await longest_turn(work) for _ in range(TRIALS)])
        rows.append((name, round(1000 * turn, 1), round(1000 * seconds, 1)))
    rows.sort(key=lambda row: -row[1])
    show("Turns of the loop", ("what is read", "longest turn, ms", "took, ms"), rows)


def main() -> None:
    """Measure."""
    asyncio.run(measure())


if __name__ == "__main__":
    main()
