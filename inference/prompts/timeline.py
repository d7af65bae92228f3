"""Timelines: what a job is conditioned on at each of its steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from inference.api.errors import JobError
from inference.api.jobs.limits import MAX_TIMELINE_CHUNKS
from inference.api.prompts.conjunction import split_and
from inference.api.prompts.extra_networks import take_networks
from inference.api.prompts.schedule import expand_schedule, text_at
from inference.prompts.conditioning import Conditioning, PromptEncoder, pad_to_length

WeightedConditions = tuple[tuple[Conditioning, float], ...]
ConditioningSchedule = tuple[
    tuple[int, WeightedConditions], ...
]  # (last call, counted from 0, and what holds until then)


@dataclass(frozen=True, eq=False)
class ConditioningInterval:
    """What holds up to and including call `until`, counted from 0; all tensors have one length."""

    until: int
    conditions: WeightedConditions
    unconditional: Conditioning


def encode_schedule(
    encoder: PromptEncoder, text: str, steps: int, *, base_steps: int | None = None
) -> ConditioningSchedule:
    """Encode a positive prompt: its AND parts, each at every step where any of them changes.

    Network tags are taken out first. `steps` are those the prompt is spread over, `base_steps`
    those of the first pass when this is the second of a hires fix. Equal texts are encoded once.

    Raises:
        JobError: its texts come to too many chunks.
    """
    terms = split_and(take_networks(text)[0])
    texts = [expand_schedule(term.text, steps, base_steps=base_steps) for term in terms]
    encodings = _encode_texts(encoder, (entry.text for entries in texts for entry in entries))
    ends = sorted({entry.step for entries in texts for entry in entries})
    return tuple(
        (
            end,
            tuple(
                (encodings[text_at(entries, end)], term.weight)
                for entries, term in zip(texts, terms, strict=True)
            ),
        )
        for end in ends
    )


def encode_negative(
    encoder: PromptEncoder, text: str, steps: int, *, base_steps: int | None = None
) -> ConditioningSchedule:
    """Encode a negative prompt: scheduled like a positive one, but never split at AND."""
    entries = expand_schedule(text, steps, base_steps=base_steps)
    encodings = _encode_texts(encoder, (entry.text for entry in entries))
    return tuple((entry.step, ((encodings[entry.text], 1.0),)) for entry in entries)


def _encode_texts(encoder: PromptEncoder, texts: Iterable[str]) -> dict[str, Conditioning]:
    encodings: dict[str, Conditioning] = {}
    empty_tokens, longest = len(encoder.encode_empty()), 0
    for text in dict.fromkeys(texts):
        encodings[text] = encoder.encode_pooled(text)
        longest = max(longest, len(encodings[text].crossattn))
        _check_timeline(len(encodings) * longest // empty_tokens)
    return encodings


def _check_timeline(chunks: int) -> None:
    if chunks > MAX_TIMELINE_CHUNKS:
        raise JobError("prompt", "prompt.too_many_texts", count=chunks, most=MAX_TIMELINE_CHUNKS)


def encode_timeline(
    encoder: PromptEncoder,
    prompt: str,
    negative: str | None,
    steps: int,
    *,
    base_steps: int | None = None,
    pads: bool = True,
) -> tuple[ConditioningInterval, ...]:
    """Encode both prompts of a job, padded to one length so that its steps may share batches.

    Without a negative one the first part of the prompt stands in for it, which nothing looks at.
    An encoder that `pads` not gives each text its own length.

    Raises:
        JobError: their texts come to too many chunks.
    """
    positive = encode_schedule(encoder, prompt, steps, base_steps=base_steps)
    unconditional = tuple((end, conditions[:1]) for end, conditions in positive)
    if negative is not None:
        unconditional = encode_negative(encoder, negative, steps, base_steps=base_steps)
    ends = sorted({end for end, _ in positive + unconditional})
    padding = _Padding(encoder, positive + unconditional, pads)
    _check_timeline(padding.count_chunks())
    return tuple(
        ConditioningInterval(
            end,
            tuple(
                (padding.pad_conditioning(condition), weight)
                for condition, weight in _conditions_at(positive, end)
            ),
            padding.pad_conditioning(_conditions_at(unconditional, end)[0][0]),
        )
        for end in ends
    )


def _conditions_at(schedule: ConditioningSchedule, step: int) -> WeightedConditions:
    return next((conditions for end, conditions in schedule if step <= end), schedule[-1][1])


class _Padding:
    """Pads encodings to the longest of a schedule, each once."""

    def __init__(self, encoder: PromptEncoder, schedule: ConditioningSchedule, pads: bool) -> None:
        self.encoder, self._pads = encoder, pads
        self._encodings = {
            id(item): item.crossattn for _, conditions in schedule for item, _ in conditions
        }
        self.length = max(len(crossattn) for crossattn in self._encodings.values())
        self._padded_conditionings: dict[int, Conditioning] = {}

    def count_chunks(self) -> int:
        """Count the chunks that all encodings come to once they are of one length."""
        return len(self._encodings) * self.length // len(self.encoder.encode_empty())

    def pad_conditioning(self, conditioning: Conditioning) -> Conditioning:
        if not self._pads or len(conditioning.crossattn) == self.length:
            return conditioning
        if id(conditioning) not in self._padded_conditionings:
            longer = pad_to_length(conditioning.crossattn, self.length, self.encoder.encode_empty())
            self._padded_conditionings[id(conditioning)] = Conditioning(longer, conditioning.pooled)
        return self._padded_conditionings[id(conditioning)]
