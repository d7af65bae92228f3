"""A row: the device side of one picture."""

from __future__ import annotations

import pytest
import torch

from inference.engine.row import DenoiseRow
from inference.prompts.conditioning import Conditioning
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
