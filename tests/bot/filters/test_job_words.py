"""All that a picture follows is read, whichever field it stands in and whatever it weighs."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from bot.errors import NotAllowed, ProhibitedContent
from bot.filters.job_words import check_job_words
from inference.api.errors import JobError
from inference.api.jobs import (
    JOB_TYPES,
    ExplainJob,
    ImagineJob,
    Img2ImgJob,
    InpaintJob,
    LoopbackJob,
    UpscaleJob,
)
from inference.api.jobs.base import TextSpec, list_job_options
from inference.api.prompts.attention import WeightedText, parse_attention
from inference.engine.row import DenoiseRow
from inference.operations.shared.batch_variants import batch_variants
from inference.prompts.conditioning import Conditioning
from inference.prompts.encode import apply_emphasis
from inference.prompts.timeline import ConditioningInterval, encode_timeline
from inference.sampling.denoiser import combine_guidance
from tests.proofs import proof_size

LISTS = {"who": ("child", "fox", "gore"), "weight": (":0", ":-1", ":2", "")}
BANNED = ("gore",)
VISIBLE_PULL = 0.01
VOCABULARY = ("", "fox", "tree", "hat", "nude", "child", "gore")


def check(job) -> None:
    check_job_words(job, LISTS, BANNED)


@pytest.mark.parametrize(
    "prompt",
    [
        "photo :0",
        "photo :-1",
        "photo :0 AND tree :0",
        "photo :-1 AND tree :0.5",
        "photo {:0|:-1}",
        "photo __nothing__:0 A<lora:x:1>ND tree :-3",
    ],
)
def test_weights_that_leave_the_negative_prompt_are_refused_in_words(prompt):
    with pytest.raises(JobError, match="nothing but the negative prompt"):
        check(ImagineJob(prompt=prompt, seed=1))


@pytest.mark.parametrize(
    ("prompt", "negative"),
    [
        ("photo :0.1", "nude child"),
        ("photo :0.1, nude :0.1", "child"),
        ("photo :0.05 AND tree :0.05", "nude child"),
        ("photo :123456789 AND photo :-123456788", "nude child"),
        ("photo", "(nude child:-1)"),
        ("photo", "[fox:(nude child:-1):0.5]"),
        ("photo", "(nude child:[-|]1)"),
        ("photo", "((nude child:-2):2)"),
        ("photo", "(nude child:900), tree"),
        ("photo :{0.1|0.05}", "nude {child|kid}"),
    ],
)
def test_a_negative_prompt_that_is_drawn_is_read(prompt, negative):
    check(ImagineJob(prompt=prompt, negative_prompt="tree", seed=1))
    with pytest.raises(ProhibitedContent):
        check(ImagineJob(prompt=prompt, negative_prompt=negative, seed=1))


@pytest.mark.parametrize(
    ("prompt", "negative"),
    [
        ("photo", "nude, child"),
        ("photo :0.5", "nude, child"),
        ("photo AND tree :-0.3", "nude, child"),
        ("photo", "(nude:1.4), ((child)), [gore], gore"),
        ("photo [a|b]", "[nude:child:0.5] AND gore :-1"),
        ("{photo|tree}", "nude, child"),
    ],
)
def test_a_negative_prompt_that_is_not_drawn_is_free(prompt, negative):
    check(ImagineJob(prompt=prompt, negative_prompt=negative, seed=1))


@pytest.mark.parametrize(
    "prompt",
    [
        "nu[x::0]de ch[x::0]ild",
        "nu[d|x]e, ch[i|x]ld",
        "nu<a:b>de chi<lora:x:0>ld",
        "nu(de:1.1) (chi:1.2)ld",
        "[tree:nude:0] [:child:5]",
        "{nu|nu}de {child|kid}",
        "n{ud|ud}e ch__ild__ __who2__".replace("__ild__ __who2__", "{i|i}ld"),
        "nude, <lora:LittleGirl_v2:0.8>",
        "nude, <lora:age_slider:-4>",
        "nude, <lora:AdultWoman:1:-2>",
        r"nu\de, chi\ld",
    ],
)
def test_what_the_encoder_reads_is_read(prompt):
    with pytest.raises(ProhibitedContent):
        check(ImagineJob(prompt=prompt, seed=3))


def test_every_picture_of_a_batch_and_of_the_loops_draws_its_own_words():
    """Of ten lists' lines one is not allowed; some seed of the batch draws it."""
    lists = {"colour": (*"abcdefg", "gore")}
    for job in (
        ImagineJob(prompt="__colour__", batch=8),
        LoopbackJob(prompt="__colour__", batch=8, loops=3),
    ):
        drawn = {
            seed: [
                variant["prompt"]
                for variant in (
                    batch_variants(job.with_seed(seed), lists)
                    if isinstance(job, ImagineJob)
                    else [
                        batch_variants(
                            ImagineJob(prompt="__colour__", seed=seed + number * job.loops), lists
                        )[0]
                        for number in range(job.batch)
                    ]
                )
            ]
            for seed in range(100, 130)
        }
        for seed, words in drawn.items():
            if "gore" in words:
                with pytest.raises(NotAllowed):
                    check_job_words(job.with_seed(seed), lists, BANNED)
            else:
                check_job_words(job.with_seed(seed), lists, BANNED)


def test_every_text_that_a_network_reads_is_checked():
    """A new text field either names something, or is read: this list must say which."""
    names = {"model", "hires_upscaler", "upscaler", "second", "lists", "skip", "refiner"}
    names |= {"restore_faces", "colourise", "control_model"}
    fields = {
        option.name
        for job_type in JOB_TYPES.values()
        for option in list_job_options(job_type)
        if isinstance(option.spec, TextSpec)
    }
    prompts = {"prompt", "negative_prompt", "hires_prompt", "hires_negative_prompt"}
    assert fields - names == {*prompts, "mask_shape"}


@pytest.mark.parametrize(
    "job",
    [
        InpaintJob(prompt="nude", mask_shape="“the child” + left 30%", seed=1),
        InpaintJob(prompt="fox", mask_shape='"nude child"', seed=1),
        Img2ImgJob(prompt="fox :0.1", negative_prompt="nude child", seed=1),
        LoopbackJob(prompt="nude, [x:child:0.9]", exact_steps=False, seed=1),
        UpscaleJob(mode="redraw", prompt="fox :0.1", negative_prompt="nude child", seed=1),
        ExplainJob(prompt="nude child"),
    ],
)
def test_all_kinds_are_read(job):
    with pytest.raises(ProhibitedContent):
        check(job)


@pytest.mark.parametrize(
    "job",
    [
        InpaintJob(prompt="nude", mask_shape="left 30%", seed=1),
        UpscaleJob(prompt="fox :0", negative_prompt="nude child", seed=1),
        ExplainJob(prompt="fox :0", negative_prompt="nude child"),
    ],
)
def test_what_no_picture_follows_is_free(job):
    check(job)


def test_a_second_pass_is_read_with_the_first(monkeypatch):
    """Its own words, guidance and steps count, and what it adds to the first pass's words."""

    def second_pass(job):
        return replace(job, prompt="child", negative_prompt="gore", guidance=5.0)

    monkeypatch.setattr(ImagineJob, "has_hires_fix", True, raising=False)
    monkeypatch.setattr(ImagineJob, "second_pass", property(second_pass), raising=False)
    check(ImagineJob(prompt="fox", hires_scale=2.0, seed=1))
    with pytest.raises(ProhibitedContent):
        check(ImagineJob(prompt="nude", hires_scale=2.0, seed=1))


@pytest.mark.parametrize(
    ("steps", "hires_steps", "prompt"),
    [(4, 6, "nude [x:child:5]"), (4, 6, "nude [x:child:1.5]"), (10, 2, "nude [x:child:11]")],
)
def test_the_second_pass_counts_on(steps, hires_steps, prompt):
    prompt = prompt.replace("child", "ch[i|i]ld")
    with pytest.raises(ProhibitedContent):
        check(
            ImagineJob(prompt=prompt, steps=steps, hires_steps=hires_steps, hires_scale=2.0, seed=1)
        )


def test_a_prompt_that_changes_without_end_is_refused_in_words():
    slots = "".join(f"[{'|'.join('abcdefghijklm'[:n])}]{'x' * 400}" for n in (2, 3, 5, 7, 11, 13))
    with pytest.raises(JobError, match="more than 100000 characters"):
        check(ImagineJob(prompt=slots, steps=150, seed=1))


class WordEncoder:
    """Encodes a text to what each word of the vocabulary weighs in it: [1, words]."""

    def __init__(self, emphasis: str) -> None:
        self.emphasis = emphasis

    def encode_pooled(self, text: str) -> Conditioning:
        pieces = parse_attention(text) if self.emphasis != "None" else (WeightedText(text),)
        weighted = [piece for piece in pieces if isinstance(piece, WeightedText)]
        letters = "".join(piece.text for piece in weighted)
        letter_weights = [piece.weight for piece in weighted for _ in piece.text]
        found = [(0, 1.0)]  # the beginning of every text, which weighs 1
        for match in re.finditer(r"[a-z]+", letters):
            if match[0] in VOCABULARY:
                found.append((VOCABULARY.index(match[0]), letter_weights[match.start()]))
        states = torch.eye(len(VOCABULARY))[[index for index, _ in found]][None]
        if self.emphasis in ("Original", "No norm"):
            weights = torch.tensor([[weight for _, weight in found]])
            states = apply_emphasis(states, weights, keep_mean=self.emphasis == "Original")
        return Conditioning(states.sum(1))

    def encode_empty(self) -> torch.Tensor:
        return self.encode_pooled("").crossattn


def pulled_words(interval: ConditioningInterval, guidance: float) -> Iterator[str]:
    """Yield the words of the vocabulary that a step goes towards, by the engine's own formula."""
    conds = torch.stack([item.crossattn for item, _ in interval.conditions])
    weights = torch.tensor([weight for _, weight in interval.conditions])
    row = DenoiseRow(None, torch.zeros(1), 1.0, guidance, (interval,))
    pulls = conds
    if row.is_guided:
        pulls = combine_guidance(
            interval.unconditional.crossattn[None],
            conds,
            torch.zeros(len(conds), dtype=torch.long),
            weights,
            torch.tensor([guidance]),
        )
    for word, pull in zip(VOCABULARY, pulls.flatten().tolist(), strict=True):
        if not pull <= VISIBLE_PULL:
            yield word


def drawn_words(job: ImagineJob, calls: int) -> list[set[str]]:
    """Return the words that each picture of a job goes towards at any step."""
    encoder = WordEncoder(job.emphasis)
    return [
        {
            word
            for interval in encode_timeline(
                encoder, variant["prompt"], variant["negative_prompt"], calls
            )
            for word in pulled_words(interval, job.guidance)
        }
        for variant in batch_variants(job, LISTS)
    ]


WEIGHTS = (-3, -1, -0.5, 0, 0.001, 0.1, 0.14, 0.5, 1, 1.3, 2, 7, 123456789, -123456788)


def random_text(draw: random.Random, depth: int = 2) -> str:
    words = ("fox", "tree", "hat", "nude", "child", "gore", "__who__", "")
    if depth == 0 or draw.random() < 0.4:
        return draw.choice(words)
    one, two = random_text(draw, depth - 1), random_text(draw, depth - 1)
    return draw.choice(
        (
            f"{one}, {two}",
            f"({one}:{draw.choice(WEIGHTS)})",
            f"[{one}]",
            f"(({one}))",
            f"[{one}:{two}:{draw.choice((0, 1, 3, 0.5, 0.9, 9))}]",
            f"[{one}|{two}]",
            f"{{{one}|{two}}}",
            f"{{{draw.choice((0, 1, 3))}::{one}|{two}}}",
            f"go[x::0]re {one}",
            f"<lora:x:{draw.choice(WEIGHTS)}>{one}",
            f"({one}:[-|]1)",
            f"{one} BREAK {two}",
        )
    )


def random_job(draw: random.Random) -> ImagineJob:
    parts = [random_text(draw) for _ in range(draw.choice((1, 1, 1, 2, 3)))]
    ends = [draw.choice(("", "", f" :{draw.choice(WEIGHTS)}", "__weight__")) for _ in parts]
    job = ImagineJob(
        prompt=" AND ".join(map("".join, zip(parts, ends, strict=True))),
        negative_prompt=random_text(draw),
        guidance=draw.choice((1.0, 1.0, 1.5, 4.0, 7.0, 30.0)),
        emphasis=draw.choice(("Original", "No norm", "Ignore", "None")),
        steps=draw.randint(1, 6),
        seed=draw.randrange(1000),
        batch=draw.choice((1, 1, 2)),
    )
    if draw.random() < 0.2:
        # What no option offers, and a formula takes all the same.
        object.__setattr__(job, "guidance", draw.choice((0.0, 0.2, 0.6, 0.95)))
    return job


def try_arrangements(numbers: range) -> tuple[int, int, list[ImagineJob]]:
    """Return how many random jobs passed, how many did not, and those that draw what is refused."""
    passed, refused, failures = 0, 0, []
    for number in numbers:
        draw = random.Random(number)
        job = random_job(draw)
        try:
            check(job)
        except (NotAllowed, JobError):
            refused += 1
            continue
        passed += 1
        pictures = drawn_words(job, draw.choice((job.steps, 2 * job.steps - 1)))
        if any("gore" in words or {"nude", "child"} <= words for words in pictures):
            failures.append(job)
    return passed, refused, failures


@pytest.mark.proof
def test_no_arrangement_of_weights_draws_what_is_refused():
    count = proof_size(1000, 100_000)
    passed, refused, failures = try_arrangements(range(count))
    assert failures == []
    assert min(passed, refused) > count / 5


def test_what_the_negative_prompt_pushes_away_is_free_whatever_it_weighs():
    """Of the same arrangements, those that say nothing refused in the prompt and push it away."""
    tried = 0
    for number in range(3000):
        draw = random.Random(number)
        job = random_job(draw)
        parts = "".join(draw.choice((" AND hat", " AND tree :0.5", "")) for _ in range(2))
        job = replace(job, prompt=f"fox{parts}", guidance=max(job.guidance, 2.0))
        if re.search(r"-|[5-9]\)|\d{3}", job.negative_prompt):
            continue
        check(job)
        for words in drawn_words(job, job.steps):
            assert not {"gore", "nude", "child"} & words, job
        tried += 1
    assert tried > 500


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"hires_prompt": "nude, child"}, ProhibitedContent),
        ({"hires_prompt": "nu[x::0]de ch[x::0]ild"}, ProhibitedContent),
        ({"hires_prompt": "g[x::0]ore"}, NotAllowed),
        ({"hires_prompt": "__who__", "batch": 8}, NotAllowed),
        ({"hires_prompt": "photo :0.1", "negative_prompt": "nude child"}, ProhibitedContent),
        ({"hires_prompt": "photo", "hires_negative_prompt": "(gore:-1)"}, NotAllowed),
        ({"hires_prompt": "photo :-1"}, JobError),
    ],
)
def test_the_prompts_of_a_hires_fix_are_read(options, error):
    with pytest.raises(error):
        for seed in range(12):
            check(ImagineJob(**{"prompt": "a fox", "hires_scale": 2.0, "seed": seed} | options))
