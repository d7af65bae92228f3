"""Interrogate: a picture described in words, in slices beside other members' denoising."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from PIL import Image

from inference.engine.work import Ask, Operation, Outcome, Slice
from inference.interrogation.captioner import CaptionSettings
from inference.interrogation.describers import Describers, Pending
from inference.interrogation.matches import Match
from inference.interrogation.phrases import Ranking
from inference.interrogation.ratings import rate
from inference.interrogation.sentence import ERROR_MARK, sentence
from inference.interrogation.tags import Tag, TagRules, without_ratings, write
from inference.jobs import Interrogate
from inference.models.errors import MissingWeights, ModelError
from inference.models.files import DESCRIBER
from inference.operations.studio import Pictures, Studio
from inference.pictures.fill import flatten

LANE = "interrogate"


@dataclass(frozen=True)
class Captioning:
    """A sentence by the captioner of that name."""

    model: str
    settings: CaptionSettings


@dataclass(frozen=True)
class Tagging:
    """Tags by the tagger of that name."""

    model: str


@dataclass(frozen=True)
class Said:
    """The words for a picture."""

    text: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unranked:
    """The rankings failed."""

    reason: ModelError


def interrogate(job: Interrogate, pictures: Pictures, studio: Studio) -> Operation:
    """Describe the job's picture."""
    said = yield from _said(pictures["image"], job)
    return Outcome(text=said.text, notes=said.notes)


def describe(picture: Image.Image, method: str) -> Generator[Ask, list[Any], str]:
    """Describe a picture within another operation: `caption` or `tags`, all else at its default.

    Raises:
        ModelError: no model here can.
    """
    said = yield from _said(picture, Interrogate(method=method))
    return said.text


def perform(lane: Any, pictures: list[Image.Image], describers: Describers) -> list[Any]:
    """Do the slices of one lane: captions, rankings or tags of RGB pictures."""
    match lane[1]:
        case Captioning(name, settings):
            return describers.caption(pictures, settings, name) or [None] * len(pictures)
        case Ranking() as wanted:
            return _rank(pictures, wanted, describers)
        case Tagging(name):
            return list(describers.tag(pictures, name))
        case other:
            raise ValueError(f"There is no way of describing called {other!r}.")


def _rank(pictures: list[Image.Image], wanted: Ranking, describers: Describers) -> list[Any]:
    """Rank pictures; what is wrong with the models is an answer, for captions stay good."""
    try:
        ranked = describers.rank(pictures, wanted)
    except ModelError as error:
        return [Unranked(error)] * len(pictures)
    return [ranked] * len(pictures) if isinstance(ranked, Pending) else list(ranked)


def _said(picture: Image.Image, job: Interrogate) -> Generator[Ask, list[Any], Said]:
    source = flatten(picture)
    if job.method == "tags":
        (tags,) = yield Ask(works=(_slice(Tagging(job.model), "tagger", job.model, source),))
        return _tagged(tags, job)
    task = Captioning(job.model, CaptionSettings(job.beams, job.min_length, job.max_length))
    (caption,) = yield Ask(works=(_slice(task, "captioner", job.model, source),), later=1)
    if caption and not job.ranks:
        return Said(caption)
    matches = yield from _matches(source, Ranking(named(job.lists), job.top))
    if isinstance(matches, Unranked):
        return _without_ranks(caption, matches)
    chosen = matches if job.ranks else matches[:1]
    return Said(sentence(caption, chosen, show_ranks=job.show_ranks))


def _matches(
    source: Image.Image, wanted: Ranking
) -> Generator[Ask, list[Any], tuple[Match, ...] | Unranked]:
    """Rank a picture; the first time, lists are encoded a slice at a time before that."""
    left = 0
    while True:
        work = _slice(wanted, "ranker", "", source)
        (answer,) = yield Ask(works=(work,), later=left)
        if not isinstance(answer, Pending):
            found: tuple[Match, ...] | Unranked = answer
            return found
        left = answer.left


def _slice(task: object, role: str, model: str, source: Image.Image) -> Slice:
    return Slice(
        lane=(LANE, task),
        load=source,
        weights=(DESCRIBER, f"{role}/{model}"),
        varying=isinstance(task, Ranking),  # the first ones encode phrases, the last the picture
    )


def named(words: str) -> tuple[str, ...]:
    """Split names at their commas and line breaks."""
    return tuple(name.strip() for name in words.replace("\n", ",").split(",") if name.strip())


def _without_ranks(caption: str | None, failure: Unranked) -> Said:
    """Keep a caption whose rankings failed, as the field does: marked, and with the reason.

    A server that never had a CLIP gives plain captions: there was nothing to fail.

    Raises:
        ModelError: there is no caption either.
    """
    if not caption:
        raise failure.reason
    text = caption if isinstance(failure.reason, MissingWeights) else f"{caption}, {ERROR_MARK}"
    return Said(text, (f"No matches were added: {failure.reason}",))


def _tagged(tags: tuple[Tag, ...], job: Interrogate) -> Said:
    """Write the tags above the job's threshold; ratings are told apart."""
    rules = TagRules(
        threshold=job.threshold,
        order="score" if job.sort == "score" else "name",
        spaces=not job.underscores,
        escape=job.escape,
        show_ranks=job.show_ranks,
        hidden=named(job.skip),
        top=job.top,
    )
    rated, others = rate(tags), without_ratings(tags)
    notes = []
    if rated is not None:
        likeliest = rated.likeliest
        notes.append(f"Rated {likeliest.name.lower()} ({rated.chances[likeliest]:.2f}).")
    if not any(tag.probability >= job.threshold for tag in others) and others:
        best = max(others, key=lambda tag: tag.probability)
        notes.append(
            f"No tag reaches {job.threshold:g}; the likeliest, {best.label.name}, has "
            f"{best.probability:.2f}. Lower the threshold."
        )
    return Said(write(tags, rules), tuple(notes))
