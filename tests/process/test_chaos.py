from __future__ import annotations

import random

import pytest

from tests.process.chaos import Chaos
from tests.proofs import proof_size

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.proof,
]

KILLS = proof_size(6, 30)
#: With a scripted worker a life of the bot begins in seconds, so there can be more of them.
MANY = proof_size(25, 200)
CROWDED = proof_size(10, 200)
SEVERAL = proof_size(10, 200)


async def test_no_kill_loses_a_job_or_shows_one_twice(easel):
    seed = random.randrange(2**32)

    outcome = await Chaos(easel, kills=KILLS, seed=seed, pause=4.0, drop_share=0.1).run()

    assert outcome.sound, f"seed {seed}: {outcome}"
    assert sum(outcome.kills.values()) == KILLS
    assert outcome.delivered > 0


async def test_no_one_of_many_kills_loses_a_job_or_shows_one_twice(quick_easel):
    """Answers of Discord are lost, too, after what was asked had been done."""
    seed = random.randrange(2**32)

    outcome = await Chaos(quick_easel, kills=MANY, seed=seed, pause=1.0, drop_share=0.15).run()

    assert outcome.sound, f"seed {seed}: {outcome}"
    assert sum(outcome.kills.values()) == MANY
    assert outcome.delivered > 0
    assert outcome.dropped > 0


async def test_what_others_write_meanwhile_hides_no_result(quick_easel):
    """Tokens have ended when the bot comes back, and only the channel tells what arrived."""
    seed = random.randrange(2**32)

    outcome = await Chaos(
        quick_easel, kills=CROWDED, seed=seed, pause=1.0, drop_share=0.15, chatter=200
    ).run()

    assert outcome.sound, f"seed {seed}: {outcome}"
    assert outcome.undelivered == 0
    assert sum(outcome.kills.values()) == CROWDED
    assert outcome.posted > 0


async def test_no_kill_among_several_workers_loses_a_job_or_shows_one_twice(several_easel):
    """Some of three workers are killed while the others go on, or the bot is."""
    seed = random.randrange(2**32)

    chaos = Chaos(several_easel, kills=SEVERAL, seed=seed, pause=1.0, drop_share=0.15)
    outcome = await chaos.run()

    assert outcome.sound, f"seed {seed}: {outcome}"
    assert sum(outcome.kills.values()) == SEVERAL
    assert outcome.delivered > 0
