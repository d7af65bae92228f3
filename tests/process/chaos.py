"""Kill the bot and its worker at random moments, and see what members are left with.

Members keep asking; now and then the bot's process or its worker is killed, and a share of
Discord's answers is lost after what was asked had been done. Where others use the channel, results
are messages of their own, since the answers' tokens have ended; the others write while the bot is
down, and Discord has then forgotten what it was sent: only the channel's history tells what
arrived. At the end every job must be over and either shown once or recorded as undelivered.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from typing import Any

from tests.doubles.discord_state import Interaction, Message
from tests.patience import PATIENCE
from tests.process.easel import EaselProcess

MEMBERS = ("ada", "bob", "cem", "dee")
AHEAD = 6  # jobs that the members have outstanding
LOOK = 0.1  # seconds between two looks at what has become true
TERMINAL = ("done", "failed", "cancelled")
STEPS = (2, 10, 40, 120)


@dataclass
class Outcome:
    """What became of everything that was asked."""

    kills: dict[str, int] = field(default_factory=lambda: {"bot": 0, "worker": 0})
    #: Commands that members sent.
    asked: int = 0
    #: Commands that the bot never put into its queue: it died before, and said nothing else.
    unheard: int = 0
    #: Answers that were lost after they had been applied.
    dropped: int = 0
    #: Jobs by how they ended.
    done: int = 0
    failed: int = 0
    #: Jobs by how their end was told.
    delivered: int = 0
    undelivered: int = 0
    #: Jobs whose result is a message of its own, not the answer to the command.
    posted: int = 0
    #: Messages of others in the channel.
    chatter: int = 0
    #: Jobs that were begun again, since what had them in hand was killed; told of a cluster.
    repeated: int = 0
    #: What must not be; a line for each.
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether every promise was kept."""
        return not self.lost and not self.twice


class Chaos:
    """Drives one Easel through so many kills."""

    def __init__(
        self,
        easel: EaselProcess,
        *,
        kills: int,
        seed: int,
        pause: float,
        drop_share: float,
        chatter: int = 0,
    ) -> None:
        """With `chatter`, others write so many messages while the bot is down."""
        self.easel = easel
        self.outcome = Outcome()
        self._kills = kills
        self._pause = pause
        self._drop_share = drop_share
        self._chatter = chatter
        self._chance = random.Random(seed)
        self._asked: list[Interaction] = []
        #: How often the bot had been killed when a command was sent, by interaction.
        self._kills_before: dict[str, int] = {}
        #: What the bot told each member it had taken: job id by interaction.
        self._promised: dict[str, str] = {}

    async def run(self) -> Outcome:
        """Ask and kill, then let everything settle, and judge."""
        faults = self.easel.discord.faults
        faults.chance = random.Random(self._chance.random())
        await self.easel.up()
        asking = asyncio.create_task(self._ask(), name="members")
        faults.drop_share = self._drop_share
        for _ in range(self._kills):
            await self._wait()
            await self._kill()
        await self._until_fruitful()
        faults.drop_share = 0.0
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        self.outcome.dropped = faults.dropped
        await self._settle()
        self._judge(self.easel.jobs())
        return self.outcome

    async def _ask(self) -> None:
        """Keep some jobs outstanding, whatever happens to the bot."""
        while True:
            self._note()
            if len(self._asked) - len(self._over()) < AHEAD and self.easel.discord.connected:
                member = self._chance.choice(MEMBERS)
                kills_before = self.outcome.kills["bot"]
                with contextlib.suppress(ConnectionError):
                    asked = await self.easel.img2img(member, steps=self._chance.choice(STEPS))
                    self._asked.append(asked)
                    self._kills_before[asked.id] = kills_before
                    self.outcome.asked += 1
            await asyncio.sleep(LOOK)

    def _note(self) -> None:
        """Remember what the bot has promised: a card with a job's button is a promise."""
        for asked in self._asked:
            if asked.acknowledged and asked.original is not None and asked.answer.buttons:
                job = next(iter(asked.answer.buttons.values())).rpartition(":")[2]
                self._promised[asked.id] = job
                if self._chatter:
                    asked.expire()

    def _over(self) -> list[Interaction]:
        """List what no longer counts as outstanding: shown, or never promised and old.

        What a bot that was killed since had not promised, no other bot hears of.
        """
        ended = {mark for message in self.easel.discord.results() for mark in jobs_of(message)}
        return [
            asked
            for number, asked in enumerate(self._asked)
            if self._promised.get(asked.id) in ended
            or (asked.id not in self._promised and self._is_old(number, asked))
        ]

    def _is_old(self, number: int, asked: Interaction) -> bool:
        was_killed = self._kills_before[asked.id] < self.outcome.kills["bot"]
        return was_killed or number < len(self._asked) - AHEAD

    async def _wait(self) -> None:
        """Wait for a random time, or for one of the next few requests to be answered."""
        if self._chance.random() < 0.5:
            await asyncio.sleep(self._chance.uniform(0, self._pause))
            return
        requests = self.easel.discord.state.requests
        upon = len(requests) + self._chance.randint(1, 12)
        with contextlib.suppress(TimeoutError):
            await self.easel.discord.until(lambda: len(requests) >= upon, 2 * self._pause)

    async def _kill(self) -> None:
        if self._chance.random() < 0.5 and self.easel.bot.kill_workers(self._chance):
            self.outcome.kills["worker"] += 1
            return
        await self.easel.bot.kill()
        self.outcome.kills["bot"] += 1
        if self._chatter:
            self._let_time_pass()
        await self.easel.up()

    def _let_time_pass(self) -> None:
        state = self.easel.discord.state
        state.chat(self._chatter)
        self.outcome.chatter += self._chatter
        state.forget_nonces()

    async def _until_fruitful(self) -> None:
        """Go on until something was shown and an answer lost, if any is to be.

        On a busy machine the kills can come before anything had the time to.
        """
        discord = self.easel.discord
        await discord.until(
            lambda: discord.results() and (discord.faults.dropped or not self._drop_share)
        )

    async def _settle(self) -> None:
        """Wait until all jobs are over, start once more, and wait until all were told."""
        await self.easel.up()
        await self._until(lambda job: job["state"] in TERMINAL)
        # A new life takes up at once what did not get through.
        await self.easel.bot.terminate()
        await self.easel.up()
        await self._until(lambda job: job["delivery"] in ("sent", "undelivered"))
        await self.easel.bot.terminate()

    async def _until(self, test: Any) -> None:
        with contextlib.suppress(TimeoutError):
            await self.easel.discord.until(lambda: all(map(test, self.easel.jobs())), 3 * PATIENCE)

    def _judge(self, jobs: list[dict[str, Any]]) -> None:
        self._note()
        outcome = self.outcome
        by_request = {job["idempotency_key"]: job for job in jobs}
        outcome.unheard = sum(asked.id not in by_request for asked in self._asked)
        for request, id in self._promised.items():
            if request not in by_request:
                outcome.lost.append(f"{id} was promised and is not in the queue")
        for job in jobs:
            self._judge_job(job, self.easel.discord.results(job["id"]))

    def _judge_job(self, job: dict[str, Any], shown: list[Message]) -> None:
        outcome, id = self.outcome, job["id"]
        outcome.done += job["state"] == "done"
        outcome.failed += job["state"] == "failed"
        outcome.delivered += job["delivery"] == "sent"
        outcome.undelivered += job["delivery"] == "undelivered"
        cards = {asked.original.id for asked in self._asked if asked.original is not None}
        outcome.posted += any(message.id not in cards for message in shown)
        if job["state"] not in TERMINAL:
            outcome.lost.append(f"{id} is still {job['state']}")
        elif job["delivery"] not in ("sent", "undelivered"):
            outcome.lost.append(f"{id} is {job['state']}, its delivery {job['delivery']}")
        elif job["delivery"] == "sent" and not shown:
            outcome.lost.append(f"{id} counts as sent and is not to be seen")
        if len(shown) > 1:
            outcome.twice.append(f"{id} is shown {len(shown)} times")


def jobs_of(message: Message) -> set[str]:
    """Read off a message's buttons whose result it shows."""
    return {custom.rpartition(":")[2] for custom in message.buttons.values()}
