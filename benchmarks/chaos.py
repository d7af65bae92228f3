"""The long run of killing the bot and its worker at random moments.

`python -m benchmarks chaos [--kills N] [--seed N] [--pause SECONDS] [--drop SHARE] [--chatter N]
[--quick]`. The checkpoint is a tiny one with random weights: what is tried here is the way of the
jobs, not their pictures. With `--quick` the worker is a scripted one, which is ready at once; with
`--chatter` results have to be found between so many messages of others.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.table import show
from tests.doubles.discord_server import DiscordServer
from tests.inference.conftest import save_checkpoint
from tests.process.chaos import Chaos, Outcome
from tests.process.easel import EaselProcess


async def drive(arguments: argparse.Namespace) -> Outcome:
    """Make an Easel of its own and drive it."""
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(4)
        save_checkpoint(Path(folder) / "models" / "tiny", 4)
        async with DiscordServer() as discord:
            easel = EaselProcess(
                discord, Path(folder), Path(folder) / "models", quick=arguments.quick
            )
            chaos = Chaos(
                easel,
                kills=arguments.kills,
                seed=arguments.seed,
                pause=arguments.pause,
                drop_share=arguments.drop,
                chatter=arguments.chatter,
            )
            try:
                return await chaos.run()
            finally:
                await easel.bot.close()
                if arguments.log:
                    arguments.log.write_text(easel.bot.log, encoding="utf-8")


def main() -> None:
    """Read the arguments, drive, print, and fail if a promise was broken."""
    parser = argparse.ArgumentParser(prog="benchmarks chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--pause", type=float, default=6.0, help="longest pause before a kill")
    parser.add_argument("--drop", type=float, default=0.1, help="share of answers that are lost")
    parser.add_argument(
        "--chatter", type=int, default=0, help="messages of others while the bot is down"
    )
    parser.add_argument("--quick", action="store_true", help="with a scripted worker")
    parser.add_argument("--log", type=Path, help="where to keep what the bot wrote")
    arguments = parser.parse_args()
    outcome = asyncio.run(drive(arguments))
    show(
        f"Kills at random moments, seed {arguments.seed}",
        ("what", "how many"),
        [
            ("kills of the bot", outcome.kills["bot"]),
            ("kills of the worker", outcome.kills["worker"]),
            ("answers of Discord lost after they were applied", outcome.dropped),
            ("commands sent", outcome.asked),
            ("commands not taken, the bot being down", outcome.unheard),
            ("jobs done", outcome.done),
            ("jobs failed with words after three lost attempts", outcome.failed),
            ("jobs delivered", outcome.delivered),
            ("jobs shown as a message of their own", outcome.posted),
            ("messages of others in the channel", outcome.chatter),
            ("jobs recorded as undelivered", outcome.undelivered),
            ("jobs lost", len(outcome.lost)),
            ("jobs shown twice", len(outcome.twice)),
        ],
    )
    if not outcome.sound:
        sys.exit("\n".join([*outcome.lost, *outcome.twice]))


if __name__ == "__main__":
    main()
