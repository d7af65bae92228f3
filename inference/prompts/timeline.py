"""Timelines: what a job is conditioned on at each of its steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from inference.prompts.conditioning import Conditioning, Encoder, lengthen
from inference.prompts.conjunction import split_and
from inference.prompts.networks import take_networks
from inference.prompts.schedule import at, expand

Weighted = tuple[tuple[Conditioning, float], ...]
Schedule = tuple[tuple[int, Weighted], ...]  # (last step, what holds until then), steps from 1


@dataclass(frozen=True, eq=False)
class Stretch:
    """What holds up to and including step `until`; every tensor of a timeline has one length."""

    until: int
    conditions: Weighted
    unconditional: Conditioning


def encode_schedule(
    encoder: Encoder, text: str, steps: int, *, base_steps: int | None = None
) -> Schedule:
    """Encode a positive prompt: its AND parts, each at every step where any of them changes.

    Network tags are taken out first. `steps` are those the prompt is spread over, `base_steps`
    those of the first pass when this is the second of a hires fix. Equal texts are encoded once.
    """
    parts = split_and(take_networks(text)[0])
    texts = [expand(part.text, steps, base_steps=base_steps) for part in parts]
    known = _encoded(encoder, (entry.text for entries in texts for entry in entries))
    ends = sorted({entry.step for entries in texts for entry in entries})
    return tuple(
        (
            end,
            tuple(
                (known[at(entries, end)], part.weight)
                for entries, part in zip(texts, parts, strict=True)
            ),
        )
        for end in ends
    )


def encode_negative(
    encoder: Encoder, text: str, steps: int, *, base_steps: int | None = None
) -> Schedule:
    """Encode a negative prompt: scheduled like a positive one, but never split at AND."""
    entries = expand(text, steps, base_steps=base_steps)
    known = _encoded(encoder, (entry.text for entry in entries))
    return tuple((entry.step, ((known[entry.text], 1.0),)) for entry in entries)


def _encoded(encoder: Encoder, texts: Iterable[str]) -> dict[str, Conditioning]:
    return {text: encoder.encode_pooled(text) for text in dict.fromkeys(texts)}


def encode_timeline(
    encoder: Encoder, prompt: str, negative: str, steps: int, *, base_steps: int | None = None
) -> tuple[Stretch, ...]:
    """Encode both prompts of a job, padded to one length so that its steps may share batches."""
    positive = encode_schedule(encoder, prompt, steps, base_steps=base_steps)
    unconditional = encode_negative(encoder, negative, steps, base_steps=base_steps)
    ends = sorted({end for end, _ in positive + unconditional})
    level = _Level(encoder, positive + unconditional)
    return tuple(
        Stretch(
            end,
            tuple((level.of(condition), weight) for condition, weight in _held(positive, end)),
            level.of(_held(unconditional, end)[0][0]),
        )
        for end in ends
    )


def _held(schedule: Schedule, step: int) -> Weighted:
    return next((held for end, held in schedule if step <= end), schedule[-1][1])


class _Level:
    """Pads encodings to the longest of a schedule, each once."""

    def __init__(self, encoder: Encoder, schedule: Schedule) -> None:
        self.encoder = encoder
        self.length = max(len(item.crossattn) for _, held in schedule for item, _ in held)
        self._done: dict[int, Conditioning] = {}

    def of(self, conditioning: Conditioning) -> Conditioning:
        if len(conditioning.crossattn) == self.length:
            return conditioning
        if id(conditioning) not in self._done:
            longer = lengthen(conditioning.crossattn, self.length, self.encoder.empty())
            self._done[id(conditioning)] = Conditioning(longer, conditioning.pooled)
        return self._done[id(conditioning)]
