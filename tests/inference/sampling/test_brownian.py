import itertools
import math

import pytest
import torch
import torchsde
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.sampling.brownian import BrownianTree
from inference.sampling.noise import NOISE_GENERATORS, NoiseSource

SHAPE = (4, 48, 48)
SPAN = (0.0291671, 14.6146409)
levels = st.floats(*SPAN)


def tree(seed, shape=SHAPE, span=SPAN, rng="CPU"):
    return BrownianTree(seed, span, lambda number: NOISE_GENERATORS[rng](number).randn(shape))


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**64 - 1),
    st.lists(st.tuples(levels, levels), min_size=1, max_size=6),
    st.floats(3e-4, 0.029),
)
def test_the_numbers_are_torchsdes(seed, asked, low):
    shape, span = (2, 4, 4), (low, 14.7)
    reference = torchsde.BrownianTree(span[0], torch.zeros(shape), span[1], entropy=seed)
    path = tree(seed, shape, span)
    for a, b in asked:
        if round(a, 6) == round(b, 6):
            continue
        increment = reference(min(a, b), max(a, b)) * (1 if a < b else -1)
        # Rounding of what halving left over weighs more, the shorter the stretch is.
        torch.testing.assert_close(
            path.scaled_increment(a, b) * math.sqrt(abs(a - b)), increment, rtol=1e-5, atol=2e-6
        )


def test_a_cards_numbers_go_the_same_way(monkeypatch):
    shape = (2, 4, 4)

    def draw(size, dtype, device, seed):
        return NOISE_GENERATORS["NV"](int(seed)).randn(size)

    monkeypatch.setattr(torchsde._brownian.brownian_interval, "_randn", draw)
    reference = torchsde.BrownianTree(SPAN[0], torch.zeros(shape), SPAN[1], entropy=5)
    noise = NoiseSource(5, shape, rng="NV", span=SPAN)
    for a, b in ((14.6146409, 9.7), (9.7, 4.2), (4.2, 0.3)):
        expected = -reference(b, a) / math.sqrt(a - b)
        torch.testing.assert_close(noise.brownian_noise(a, b), expected, rtol=1e-5, atol=2e-6)


def test_the_order_of_the_questions_changes_nothing():
    asked = [(10.0, 5.0), (10.0, 7.0), (0.3, 0.1), (5.0, 0.3)]
    answers = []
    for order in itertools.permutations(asked):
        path = tree(1, (4, 8, 8))
        answers.append({pair: path.scaled_increment(*pair) for pair in order})
    for answer in answers[1:]:
        for pair in asked:
            assert torch.equal(answers[0][pair], answer[pair])


@settings(max_examples=30, deadline=None)
@given(levels, levels)
def test_increments_have_unit_variance(a, b):
    increment = tree(2).scaled_increment(a, b)
    assert increment.std().item() == pytest.approx(1, abs=0.05)
    assert increment.mean().item() == pytest.approx(0, abs=0.05)


def test_separate_stretches_are_independent():
    path = tree(3)
    points = [14.0, 6.0, 2.0, 0.7, 0.2, 0.05]
    rows = [path.scaled_increment(a, b).flatten() for a, b in itertools.pairwise(points)]
    correlation = torch.corrcoef(torch.stack(rows))
    assert (correlation - torch.eye(5)).abs().max() < 0.05


def test_increments_add_up_along_the_path():
    path = tree(4)
    whole = path.scaled_increment(8.0, 2.0) * math.sqrt(6.0)
    parts = path.scaled_increment(8.0, 5.0) * math.sqrt(3.0) + path.scaled_increment(
        5.0, 2.0
    ) * math.sqrt(3.0)
    torch.testing.assert_close(whole, parts, rtol=0, atol=1e-5)


def test_the_direction_is_the_sign():
    path = tree(5)
    assert torch.equal(path.scaled_increment(2.0, 1.0), -path.scaled_increment(1.0, 2.0))


def test_a_finer_walk_follows_the_same_path():
    coarse, fine = tree(6), tree(6)
    for i in range(40):
        fine.scaled_increment(10.0 * 0.8**i, 10.0 * 0.8 ** (i + 1))
    assert torch.equal(coarse.scaled_increment(10.0, 1.0), fine.scaled_increment(10.0, 1.0))


def test_seeds_differ():
    a, b = (tree(seed).scaled_increment(2.0, 1.0) for seed in (1, 2))
    assert abs(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]) < 0.05


@pytest.mark.parametrize(
    ("a", "b"), [(1.0, 1.0), (1.0, 1.0000001), (1e9, 1e9), SPAN, (1e-9, 1e-9), (1e9, 3.0)]
)
def test_meeting_or_outlying_levels_still_give_unit_noise(a, b):
    increment = tree(7).scaled_increment(a, b)
    assert increment.std().item() == pytest.approx(1, abs=0.06)
