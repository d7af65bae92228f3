from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from inference.prompts.conditioning import Conditioning
from inference.prompts.timeline import (
    ConditioningSchedule,
    encode_negative,
    encode_schedule,
    encode_timeline,
)


class Recorder:
    """An encoder that spells its text in code points, four tokens a chunk of ten letters."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode_pooled(self, text: str) -> Conditioning:
        self.asked.append(text)
        chunks = max(1, -(-len(text) // 10))
        return Conditioning(torch.full((4 * chunks, 2), float(sum(map(ord, text)))), None)

    def encode_empty(self) -> Tensor:
        return torch.zeros(4, 2)


def value(text: str) -> float:
    return float(sum(map(ord, text)))


def values(schedule: ConditioningSchedule) -> list[tuple[int, list[tuple[float, float]]]]:
    return [
        (end, [(float(item.crossattn[0, 0]), weight) for item, weight in held])
        for end, held in schedule
    ]


def test_each_part_of_and_keeps_its_own_schedule() -> None:
    encoder = Recorder()

    schedule = encode_schedule(encoder, "[a:b:2] :1.5 AND[c:d:0.5]:-1", 10)

    assert values(schedule) == [
        (2, [(value("a"), 1.5), (value("c"), -1.0)]),
        (5, [(value("b"), 1.5), (value("c"), -1.0)]),
        (10, [(value("b"), 1.5), (value("d"), -1.0)]),
    ]
    assert encoder.asked == ["a", "b", "c", "d"]


def test_equal_texts_are_encoded_once_and_tags_never() -> None:
    encoder = Recorder()

    schedule = encode_schedule(encoder, "<lora:ink:1>[a|b]", 20)

    assert encoder.asked == ["a", "b"]
    assert [end for end, _ in schedule] == list(range(1, 21))


def test_the_negative_side_is_never_split() -> None:
    encoder = Recorder()

    schedule = encode_negative(encoder, "a AND [b:c:3]", 10)

    assert values(schedule) == [
        (3, [(value("a AND b"), 1.0)]),
        (10, [(value("a AND c"), 1.0)]),
    ]


def test_the_second_pass_counts_on() -> None:
    schedule = encode_schedule(Recorder(), "[a:b:12]", 6, base_steps=10)

    assert [end for end, _ in schedule] == [2, 6]


def test_a_timeline_has_one_length_and_both_sides_changes() -> None:
    stretches = encode_timeline(Recorder(), "[fox:a fox in deep snow:4]", "[b:c:7]", 10)

    assert [stretch.until for stretch in stretches] == [4, 7, 10]
    first, last = stretches[0], stretches[-1]
    for condition in (first.conditions[0][0], last.conditions[0][0], last.unconditional):
        assert condition.crossattn.shape == (8, 2)
    assert torch.equal(first.conditions[0][0].crossattn[4:], torch.zeros(4, 2))
    assert value("b") == first.unconditional.crossattn[0, 0]
    assert value("c") == last.unconditional.crossattn[0, 0]


@settings(deadline=None)
@given(st.text("ab[]:|123 AND", max_size=40), st.text("ab[]:|1", max_size=20), st.integers(1, 30))
def test_any_prompt_gives_a_timeline_to_the_last_step(
    prompt: str, negative: str, steps: int
) -> None:
    stretches = encode_timeline(Recorder(), prompt, negative, steps)

    assert stretches[-1].until == steps
    lengths = {
        len(condition.crossattn) for stretch in stretches for condition, _ in stretch.conditions
    } | {len(stretch.unconditional.crossattn) for stretch in stretches}
    assert len(lengths) == 1
