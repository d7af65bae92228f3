from __future__ import annotations

import asyncio
import threading
from unittest.mock import AsyncMock, Mock

import pytest

from bot.errors import BadSetting, NotAllowed
from bot.filters import patterns as limits
from bot.filters.patterns import (
    PatternError,
    PatternsTooCostly,
    compile_pattern,
    compile_patterns,
    count_instructions,
    find_match,
    run_beside_loop,
)
from bot.filters.prompt_filter import check_prompt
from bot.guilds import GuildSettings, RequestContext
from bot.guilds import policy as policy_module
from bot.guilds.policy import GuildPolicy
from bot.guilds.settings import validate_changes
from inference.api.jobs import ImagineJob
from tests.doubles.worst_patterns import measure_program, search_worst_patterns

LONGEST_PROMPT = ("aé漢 b!" * 1000)[:6000]


@pytest.fixture(scope="module")
def dearest() -> list[str]:
    """What nobody bounds but RE2 itself."""
    return search_worst_patterns(50, rounds=300, limit=1 << 20)


@pytest.fixture(scope="module")
def dearest_allowed() -> list[str]:
    return search_worst_patterns(50, rounds=600, limit=limits.MAX_PATTERN_INSTRUCTIONS)


def cost_of(patterns: list[str]) -> int:
    return sum(count_instructions(compile_pattern(pattern)) for pattern in patterns)


@pytest.mark.parametrize(
    ("pattern", "text", "part"),
    [
        (r"\bgun(s|fire)?\b", "two Guns", "Guns"),
        (r"\d{4}-\d{4}", "call 0123-4567 now", "0123-4567"),
        (r"x", "y", None),
        (r"血.*海", "血の海", "血の海"),
        ("a", "half a sign \ud800", "a"),
    ],
)
def test_what_fits(pattern, text, part):
    assert find_match([pattern], [text]) == part


@pytest.mark.parametrize("pattern", ["(", "[a", "(?=a)b", r"(a)\1", "a{2000}", "*", "\ud800"])
def test_what_is_no_pattern_for_re2(pattern):
    with pytest.raises(PatternError):
        compile_pattern(pattern)


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|aa)+$", r"(a*)*b", r"(.*a){12}"])
def test_patterns_that_explode_elsewhere_end_here(pattern):
    """Each would take a backtracking engine longer than the universe is old."""
    find_match([pattern], ["a" * 6000 + "!"])


def test_the_search_finds_dear_patterns(dearest, dearest_allowed):
    assert min(map(measure_program, dearest)) > 12_000
    assert min(map(measure_program, dearest_allowed)) > limits.MAX_PATTERN_INSTRUCTIONS * 0.9


@pytest.mark.parametrize("pattern", ["(.?){900}!", "(?:(?:.?){30}){30}!", r"\pL{20}", "[^a]{999}"])
def test_a_dear_pattern_is_refused_when_it_is_saved(pattern):
    with pytest.raises(BadSetting, match=r"Repeat less in it|pattern too large"):
        validate_changes({"banned_patterns": [pattern]})


def test_the_dearest_patterns_are_refused_when_they_are_saved(dearest):
    for pattern in dearest:
        with pytest.raises(BadSetting):
            validate_changes({"banned_patterns": [pattern]})


def test_a_list_is_refused_for_what_it_costs_together(dearest_allowed):
    saved: list[str] = []
    for pattern in dearest_allowed:
        try:
            validate_changes({"banned_patterns": [*saved, pattern]})
        except BadSetting as refusal:
            assert "together; at most 10000 are run" in str(refusal)
        else:
            saved.append(pattern)
    assert 0 < len(saved) < len(dearest_allowed)
    assert cost_of(saved) <= limits.MAX_PATTERNS_INSTRUCTIONS


@pytest.mark.parametrize("word", ["a", "skulls and bones ", "素敵な"])
def test_fifty_patterns_of_words_can_be_saved(word):
    words = [f"{number:02}" + (word * 98)[:60].strip() for number in range(50)]
    assert validate_changes({"banned_patterns": words}) == {"banned_patterns": words}


@pytest.mark.parametrize("prompt", [LONGEST_PROMPT, "ﷺ" * 6000, "a1.b2-ﬃ " * 750])
def test_no_prompt_is_read_for_more_steps_than_allowed(monkeypatch, dearest_allowed, prompt):
    saved = dearest_allowed[: limits.MAX_PATTERNS_INSTRUCTIONS // limits.MAX_PATTERN_INSTRUCTIONS]
    steps = []

    def search(pattern):
        size = count_instructions(compile_pattern(pattern))
        return Mock(
            search=lambda text: steps.append(size * len(text)),
            programsize=size,
            reverseprogramsize=size,
        )

    monkeypatch.setattr(limits, "compile_patterns", lambda patterns: [*map(search, patterns)])
    try:
        check_prompt(prompt, banned_patterns=saved)
    except NotAllowed as refusal:
        assert "for simpler patterns" in str(refusal) or "written out" in str(refusal)
        assert steps == []
    assert sum(steps) <= limits.MAX_MATCH_STEPS


def test_patterns_too_dear_for_a_text_are_told_before_any_is_run():
    with pytest.raises(PatternsTooCostly):
        find_match(["x" * 100] * 50, ["a" * 100_000])


def test_patterns_saved_when_more_was_allowed_refuse_with_words():
    with pytest.raises(NotAllowed, match="simpler patterns"):
        check_prompt("a cat", banned_patterns=["(.?){900}!"])


def test_costs_add_up():
    with pytest.raises(PatternsTooCostly):
        compile_patterns([f"{number}.{{100}}" for number in range(50)])


async def test_words_are_read_beside_the_loop(monkeypatch):
    threads = []

    def note_thread(*_):
        threads.append(threading.current_thread())

    monkeypatch.setattr(policy_module, "check_job_words", note_thread)
    policy = GuildPolicy(jobs=Mock(), guilds=Mock(), usage=Mock(), access=AsyncMock())
    job = ImagineJob(prompt="a cat")
    await policy.check_permissions(GuildSettings(), RequestContext(), job)
    await policy.check_request(GuildSettings(), RequestContext(), job)
    assert len(threads) == 2
    assert threading.current_thread() not in threads


async def test_the_loop_turns_while_words_are_read():
    """The reader waits for the loop: were they one thread, neither would go on."""
    turned, waited = threading.Event(), []
    reading = asyncio.ensure_future(run_beside_loop(lambda: waited.append(turned.wait(60))))
    await asyncio.sleep(0)
    turned.set()
    await reading
    assert waited == [True]
