import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.sampling.brownian import MAX_TREE_SIGMA, MIN_TREE_SIGMA, BrownianTree

SHAPE = (4, 48, 48)
levels = st.floats(0.03, 15)


def test_the_order_of_the_questions_changes_nothing():
    asked = [(10.0, 5.0), (10.0, 7.0), (0.3, 0.1), (5.0, 0.3)]
    answers = []
    for order in itertools.permutations(asked):
        path = BrownianTree(1, (4, 8, 8))
        answers.append({pair: path.scaled_increment(*pair) for pair in order})
    for answer in answers[1:]:
        for pair in asked:
            assert torch.equal(answers[0][pair], answer[pair])


@settings(max_examples=30, deadline=None)
@given(levels, levels)
def test_increments_have_unit_variance(a, b):
    increment = BrownianTree(2, SHAPE).scaled_increment(a, b)
    assert increment.std().item() == pytest.approx(1, abs=0.05)
    assert increment.mean().item() == pytest.approx(0, abs=0.05)


def test_separate_stretches_are_independent():
    path = BrownianTree(3, SHAPE)
    points = [14.0, 6.0, 2.0, 0.7, 0.2, 0.05]
    rows = [path.scaled_increment(a, b).flatten() for a, b in itertools.pairwise(points)]
    correlation = torch.corrcoef(torch.stack(rows))
    assert (correlation - torch.eye(5)).abs().max() < 0.05


def test_increments_add_up_along_the_path():
    path = BrownianTree(4, SHAPE)
    whole = path.scaled_increment(8.0, 2.0) * math.sqrt(6.0)
    parts = path.scaled_increment(8.0, 5.0) * math.sqrt(3.0) + path.scaled_increment(
        5.0, 2.0
    ) * math.sqrt(3.0)
    torch.testing.assert_close(whole, parts, rtol=0, atol=5e-3)


def test_the_direction_is_the_sign():
    path = BrownianTree(5, SHAPE)
    assert torch.equal(path.scaled_increment(2.0, 1.0), -path.scaled_increment(1.0, 2.0))


def test_a_finer_walk_follows_the_same_path():
    coarse, fine = BrownianTree(6, SHAPE), BrownianTree(6, SHAPE)
    for i in range(40):
        fine.scaled_increment(10.0 * 0.8**i, 10.0 * 0.8 ** (i + 1))
    assert torch.equal(coarse.scaled_increment(10.0, 1.0), fine.scaled_increment(10.0, 1.0))


def test_seeds_differ():
    a, b = (BrownianTree(seed, SHAPE).scaled_increment(2.0, 1.0) for seed in (1, 2))
    assert abs(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]) < 0.05


@pytest.mark.parametrize(
    ("a", "b"),
    [(1.0, 1.0), (1.0, 1.0000001), (1e9, 1e9), (MAX_TREE_SIGMA, MIN_TREE_SIGMA), (1e-9, 1e-9)],
)
def test_meeting_or_outlying_levels_still_give_unit_noise(a, b):
    increment = BrownianTree(7, SHAPE).scaled_increment(a, b)
    assert increment.std().item() == pytest.approx(1, abs=0.05)
