"""A row: the device side of one picture."""

from __future__ import annotations

import pytest
import torch

from inference.api.jobs.names import SAMPLER_NAMES, TWO_CALL_SAMPLERS
from inference.engine import prepare
from inference.engine.row import DenoiseRow
from inference.engine.work import DenoiseWork
from inference.prompts.conditioning import Conditioning
from inference.prompts.linting.lint import explain_prompts
from inference.prompts.timeline import ConditioningInterval


@pytest.mark.parametrize(
    ("guidance", "weights", "is_guided"),
    [
        (1.0, (1.0,), False),
        (1.0, (0.5,), True),
        (1.0, (2.0,), True),
        (1.0, (0.5, 0.5), True),
        (0.5, (1.0,), True),
        (7.0, (1.0,), True),
    ],
)
def test_the_unconditional_half_is_left_out_only_where_it_cancels_out(guidance, weights, is_guided):
    condition = Conditioning(torch.zeros(77, 8))
    interval = ConditioningInterval(20, tuple((condition, w) for w in weights), condition)
    row = DenoiseRow(None, torch.zeros(4, 8, 8), 1.0, guidance, (interval,))

    assert row.is_guided is is_guided


def test_a_sampler_of_cfg_pp_sees_the_original_outside_the_mask_in_both_predictions():
    predictions = []

    def sampler():
        predictions.append((yield torch.zeros(4, 8, 8), 1.0))
        return predictions[0][0]

    condition = Conditioning(torch.zeros(77, 8))
    interval = ConditioningInterval(20, ((condition, 1.0),), condition)
    started = sampler()
    x, sigma = next(started)
    mask = torch.zeros(1, 8, 8)
    mask[:, :4] = 1
    row = DenoiseRow(
        started,
        x,
        sigma,
        1.0,
        (interval,),
        uses_unconditional=True,
        mask=mask,
        original=torch.full((4, 8, 8), 5.0),
    )

    assert not row.step_sampler(torch.full((4, 8, 8), 1.0), torch.full((4, 8, 8), 2.0))

    (stacked,) = predictions
    assert [stacked[0, :, :4].unique().item(), stacked[1, :, :4].unique().item()] == [1.0, 2.0]
    assert stacked[:, :, 4:].unique().tolist() == [5.0]


class WordEncoder:
    """Encodes a text as the number of its letter."""

    def encode_pooled(self, text):
        return Conditioning(torch.full((1, 1), float(ord(text))))

    def encode_empty(self):
        return torch.zeros(1, 1)


class WordModel:
    """A checkpoint that is nothing but its text encoder."""

    guidance_kind, is_language = "cfg", False
    offload = text_encoders = property(lambda self: self)

    def prepare_part(self, part, amount):
        pass

    def build_encoder(self, *_, force_clip_skip, prepare, pictures):
        return WordEncoder()


def read_texts(prompt, steps, sampler, calls):
    """Give the letter that each network call of a run reads."""
    work = DenoiseWork(
        model="",
        width=8,
        height=8,
        prompt=prompt,
        negative_prompt="n",
        steps=steps,
        guidance=1.0,
        sampler=sampler,
        schedule="Automatic",
        seed=1,
    )
    conditioning = prepare._encode_conditioning(work, WordModel(), None)
    row = DenoiseRow(None, torch.zeros(4, 8, 8), 1.0, 1.0, conditioning)
    letters = ""
    for row.calls in range(calls):
        ((condition, _),) = row.current_conditioning().conditions
        letters += chr(int(condition.crossattn[0, 0]))
    return letters


@pytest.mark.parametrize(
    ("prompt", "steps", "expected"),
    [
        # A counter that begins at 0 and is compared with <=: "until 5" rules six calls.
        ("[a:b:5]", 10, "aaaaaabbbb"),
        ("[a:b:0.5]", 10, "aaaaaabbbb"),
        ("[a:b:0.55]", 10, "aaaaaabbbb"),
        ("[a:b:1]", 10, "aabbbbbbbb"),
        ("[a:b:0]", 10, "bbbbbbbbbb"),
        ("[a:b:9]", 10, "aaaaaaaaaa"),
        ("[a|b]", 7, "aababab"),
        ("[a|b|c]", 7, "aabcabc"),
        ("[a:[b:c:5]:2]", 8, "aaabbbcc"),
    ],
)
def test_a_text_rules_one_call_more_than_its_number(prompt, steps, expected):
    assert read_texts(prompt, steps, "Euler", steps) == expected


@pytest.mark.parametrize("sampler", SAMPLER_NAMES)
def test_samplers_of_two_calls_are_spread_over_them(sampler):
    calls = 39 if sampler in TWO_CALL_SAMPLERS else 20
    whole = 40 if sampler in TWO_CALL_SAMPLERS else 20
    for prompt, ends_at in (("[a:b:5]", 5), ("[a:b:0.25]", whole // 4)):
        expected = "".join("a" if call <= ends_at else "b" for call in range(calls))
        assert read_texts(prompt, 20, sampler, calls) == expected


@pytest.mark.parametrize("sampler", SAMPLER_NAMES)
@pytest.mark.parametrize("prompt", ["[a:b:5]", "[a|b]", "[a:b:0.5]", "[a:[b:c:0.7]:3]"])
def test_an_explanation_says_what_each_call_reads(sampler, prompt):
    calls = 24 if sampler in TWO_CALL_SAMPLERS else 12
    (table,) = explain_prompts(prompt, steps=12, sampler=sampler).prompt
    letters = {call: row.text for row in table.rows for call in row.steps}

    assert "".join(letters[call + 1] for call in range(calls)) == read_texts(
        prompt, 12, sampler, calls
    )
