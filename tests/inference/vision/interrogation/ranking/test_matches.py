import torch
from hypothesis import given
from hypothesis import strategies as st

from inference.vision.interrogation.ranking.matches import (
    PhraseMatch,
    normalise_rows,
    phrase_probabilities,
    to_column_major,
    top_matches,
)


def test_shares_are_the_softmax_of_a_hundred_times_the_cosine():
    phrases = normalise_rows(torch.tensor([[3.0, 0.0], [1.0, 0.2], [0.0, 5.0]]))
    image = normalise_rows(torch.tensor([[2.0, 0.0]]))[0]
    cosines = torch.tensor([1.0, 1.0 / 1.04**0.5, 0.0], dtype=torch.float64)
    expected = torch.exp(100 * cosines) / torch.exp(100 * cosines).sum()
    torch.testing.assert_close(phrase_probabilities(image, phrases), expected.float())


def test_the_likeliest_come_first():
    share = torch.tensor([0.25, 0.5, 0.125, 0.125])
    expected = (PhraseMatch("b", 0.5), PhraseMatch("a", 0.25))
    assert top_matches(share, ("a", "b", "c", "d"), 2) == expected


@given(st.integers(1, 40), st.integers(1, 60), st.integers(0, 2**31))
def test_a_list_answers_with_as_many_as_it_has(count, top, seed):
    generator = torch.Generator().manual_seed(seed)
    phrases = normalise_rows(torch.randn(count, 8, generator=generator))
    share = phrase_probabilities(normalise_rows(torch.randn(1, 8, generator=generator))[0], phrases)
    matches = top_matches(share, [str(number) for number in range(count)], top)
    assert min(count, top) == len(matches)
    figures = [match.probability for match in matches]
    assert sorted(figures, reverse=True) == figures
    assert sum(figures) <= 1 + 1e-5


def test_the_layout_changes_no_value():
    features = torch.arange(12.0).view(4, 3)
    assert torch.equal(features, to_column_major(features))
    assert to_column_major(features).stride() == (1, 4)
