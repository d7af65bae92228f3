"""What a description holds: its prompts, and the things in it that can be repainted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from storage.records import JobRecord

MAX_THINGS = 25  # choices of one select
MAX_THING_CHARACTERS = 60  # characters of what a mask in words is asked for
CAPTION, STYLE, TAGS, MIXED = "caption", "style", "tags", "mixed"
_PHRASE_KINDS: Mapping[str, tuple[str, ...]] = {
    CAPTION: ("caption",),
    STYLE: ("match",),
    TAGS: ("tag",),
    MIXED: ("caption", "match", "tag"),
}
"""The parts of a description that each prompt is made of."""
_BETWEEN_THINGS = re.compile(
    r"[,.;:!?]|\b(?:and|or|with|on|in|of|at|by|to|from|near|next|under|over|behind|between|into|"
    r"holding|wearing|sitting|standing|lying|looking|is|are|its|his|her|their|style|background)\b",
    re.IGNORECASE,
)
_ARTICLES = re.compile(r"^(?:(?:the|a|an|this|that|some|two|three|several)\s+)+", re.IGNORECASE)


def list_phrases(record: JobRecord) -> list[dict[str, Any]]:
    """List the parts of a description; one of an older version is all caption, or all tags."""
    outcome = record.result or {}
    phrases = [dict(phrase) for phrase in outcome.get("phrases") or ()]
    text = str(outcome.get("text") or "").strip()
    if phrases or not text:
        return phrases
    if record.params.get("method") == "tags":
        return [{"kind": "tag", "text": tag.strip(), "share": None} for tag in text.split(",")]
    return [{"kind": "caption", "text": text, "share": None}]


def list_prompts(record: JobRecord) -> dict[str, str]:
    """Give the prompts that a description makes; those alike are given once."""
    phrases = list_phrases(record)
    prompts: dict[str, str] = {}
    for name, kinds in _PHRASE_KINDS.items():
        words = ", ".join(phrase["text"] for phrase in phrases if phrase["kind"] in kinds)
        if words and words not in prompts.values():
            prompts[name] = words
    return prompts


def list_things(record: JobRecord) -> Sequence[str]:
    """List what a description names that may be found in the picture, without styles."""
    parts = [
        part
        for phrase in list_phrases(record)
        if phrase["kind"] != "match"
        for part in _BETWEEN_THINGS.split(phrase["text"].replace('"', ""))
    ]
    things = [_ARTICLES.sub("", part.strip())[:MAX_THING_CHARACTERS].strip() for part in parts]
    return list(dict.fromkeys(thing for thing in things if len(thing) > 1))[:MAX_THINGS]


def description_confidence(record: JobRecord) -> float | None:
    """Tell how sure a caption is, else its tags on average, 0-1; None where no network says."""
    for kind in ("caption", "tag"):
        shares = [
            float(phrase["share"])
            for phrase in list_phrases(record)
            if phrase["kind"] == kind and phrase.get("share") is not None
        ]
        if shares:
            return sum(shares) / len(shares)
    return None
