"""Interrogate: a picture described in words, in slices beside other members' denoising."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from PIL import Image

from inference.api.jobs import InterrogateJob
from inference.api.messages import DescribedPhrase
from inference.api.notices import Notice
from inference.engine.work import AuxWork, JobResult, Operation, WorkRequest
from inference.images.mask.fill import flatten_alpha
from inference.model_files.errors import MissingWeights, ModelError
from inference.model_files.files import DESCRIBER
from inference.operations.context import Images, OperationContext
from inference.operations.shared.side_call import run_beside
from inference.vision.interrogation.captioner import CaptionSettings
from inference.vision.interrogation.interrogator import Interrogator, RankingPending
from inference.vision.interrogation.ranking.matches import PhraseMatch
from inference.vision.interrogation.ranking.phrases import RankingOptions
from inference.vision.interrogation.sentence import ERROR_MARK, format_caption
from inference.vision.interrogation.tagging.ratings import rating_scores
from inference.vision.interrogation.tagging.tags import (
    Tag,
    TagRules,
    format_tags,
    select_tags,
    without_ratings,
)

INTERROGATE_QUEUE = "interrogate"
MAX_PHRASES, MAX_PHRASE_CHARACTERS = 40, 1000  # parts of a description that are told one by one


@dataclass(frozen=True)
class CaptionTask:
    """A sentence by the captioner of that name."""

    model: str
    settings: CaptionSettings


@dataclass(frozen=True)
class TagTask:
    """Tags by the tagger of that name."""

    model: str


@dataclass(frozen=True)
class Description:
    """The words for a picture."""

    text: str
    notes: tuple[Notice, ...] = ()
    #: Its parts, with how sure the networks are.
    phrases: tuple[DescribedPhrase, ...] = ()


@dataclass(frozen=True)
class RankingFailed:
    """The rankings failed."""

    reason: ModelError


def run_interrogate(job: InterrogateJob, images: Images, context: OperationContext) -> Operation:
    """Describe the job's picture."""
    description = yield from _describe_by_method(images["image"], job)
    return JobResult(text=description.text, phrases=description.phrases, notes=description.notes)


def describe_image(image: Image.Image, method: str) -> Generator[WorkRequest, list[Any], str]:
    """Describe a picture within another operation: `caption` or `tags`, all else at its default.

    Raises:
        ModelError: no model here can.
    """
    description = yield from _describe_by_method(image, InterrogateJob(method=method))
    return description.text


def execute_interrogation(
    queue_key: Any, images: list[Image.Image], describers: Interrogator
) -> list[Any]:
    """Do the slices of one lane: captions, rankings or tags of RGB pictures."""
    match queue_key[1]:
        case CaptionTask(name, settings):
            return describers.score_captions(images, settings, name) or [None] * len(images)
        case RankingOptions() as wanted:
            return _rank_images(images, wanted, describers)
        case TagTask(name):
            return list(describers.tag_images(images, name))
        case other:
            raise ValueError(f"There is no way of describing called {other!r}.")


def _rank_images(
    images: list[Image.Image], ranking: RankingOptions, describers: Interrogator
) -> list[Any]:
    """Rank pictures; what is wrong with the models is an answer, for captions stay good."""
    try:
        rankings = describers.rank_lists(images, ranking)
    except ModelError as error:
        return [RankingFailed(error)] * len(images)
    return [rankings] * len(images) if isinstance(rankings, RankingPending) else list(rankings)


def _describe_by_method(
    image: Image.Image, job: InterrogateJob
) -> Generator[WorkRequest, list[Any], Description]:
    source = yield from run_beside(partial(flatten_alpha, image), image.size)
    if job.method == "tags":
        (tags,) = yield WorkRequest(
            works=(_describe_work(TagTask(job.model), "tagger", job.model, source),)
        )
        return _describe_with_tags(tags, job)
    task = CaptionTask(job.model, CaptionSettings(job.beams, job.min_length, job.max_length))
    (scored_caption,) = yield WorkRequest(
        works=(_describe_work(task, "captioner", job.model, source),), later_units=1
    )
    caption: str | None = scored_caption.text if scored_caption is not None else None
    phrases: tuple[DescribedPhrase, ...] = ()
    if caption:
        phrases = (_make_phrase("caption", caption, scored_caption.confidence),)
    if caption and not job.ranks:
        return Description(caption, phrases=phrases)
    matches = yield from _rank_matches(source, RankingOptions(split_names(job.lists), job.top))
    if isinstance(matches, RankingFailed):
        return replace(_without_ranks(caption, matches), phrases=phrases)
    top_matches = matches if job.ranks else matches[:1]
    phrases += tuple(_make_phrase("match", m.phrase, m.probability) for m in top_matches)
    text = format_caption(caption, top_matches, show_ranks=job.show_ranks)
    return Description(text, phrases=phrases)


def _make_phrase(kind: str, text: str, share: float) -> DescribedPhrase:
    """Note a part of a description; the bot keeps it with the job."""
    return DescribedPhrase(kind=kind, text=text[:MAX_PHRASE_CHARACTERS], share=round(share, 4))


def _rank_matches(
    source: Image.Image, ranking: RankingOptions
) -> Generator[WorkRequest, list[Any], tuple[PhraseMatch, ...] | RankingFailed]:
    """Rank a picture; the first time, lists are encoded a slice at a time before that."""
    remaining_units = 0
    while True:
        work = _describe_work(ranking, "ranker", "", source)
        (answer,) = yield WorkRequest(works=(work,), later_units=remaining_units)
        if not isinstance(answer, RankingPending):
            matches: tuple[PhraseMatch, ...] | RankingFailed = answer
            return matches
        remaining_units = answer.remaining_slices


def _describe_work(task: object, role: str, model: str, source: Image.Image) -> AuxWork:
    return AuxWork(
        queue_key=(INTERROGATE_QUEUE, task),
        payload=source,
        weights=(DESCRIBER, f"{role}/{model}"),
        has_varying_cost=isinstance(
            task, RankingOptions
        ),  # the first ones encode phrases, the last the picture
    )


def split_names(text: str) -> tuple[str, ...]:
    """Split names at their commas and line breaks."""
    return tuple(name.strip() for name in text.replace("\n", ",").split(",") if name.strip())


def _without_ranks(caption: str | None, failure: RankingFailed) -> Description:
    """Keep a caption whose rankings failed, as the field does: marked, and with the reason.

    A server that never had a CLIP gives plain captions: there was nothing to fail.

    Raises:
        ModelError: there is no caption either.
    """
    if not caption:
        raise failure.reason
    text = caption if isinstance(failure.reason, MissingWeights) else f"{caption}, {ERROR_MARK}"
    return Description(text, (Notice("describe.no_matches", why=failure.reason.notice),))


def _describe_with_tags(tags: tuple[Tag, ...], job: InterrogateJob) -> Description:
    """Write the tags above the job's threshold; ratings are told apart."""
    rules = TagRules(
        threshold=job.threshold,
        order="score" if job.sort == "score" else "name",
        spaces=not job.underscores,
        escape=job.escape,
        show_ranks=job.show_ranks,
        hidden=split_names(job.skip),
        top=job.top,
    )
    ratings, plain_tags = rating_scores(tags), without_ratings(tags)
    notes: list[Notice] = []
    if ratings is not None:
        likeliest = ratings.likeliest_rating
        notes.append(
            Notice(
                "describe.rated",
                rating=likeliest.name.lower(),
                share=f"{ratings.chances[likeliest]:.2f}",
            )
        )
    if not any(tag.probability >= job.threshold for tag in plain_tags) and plain_tags:
        best = max(plain_tags, key=lambda tag: tag.probability)
        notes.append(
            Notice(
                "describe.no_tag",
                threshold=f"{job.threshold:g}",
                tag=best.label.name,
                share=f"{best.probability:.2f}",
            )
        )
    plain_rules = replace(rules, escape=False, show_ranks=False, order="score")
    phrases = tuple(
        _make_phrase("tag", format_tags((tag,), plain_rules), tag.probability)
        for tag in select_tags(tags, plain_rules)[:MAX_PHRASES]
    )
    return Description(format_tags(tags, rules), tuple(notes), phrases)
