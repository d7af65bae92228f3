from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.vision.interrogation.ranking import features
from inference.vision.interrogation.ranking.features import (
    PhraseFeatures,
    build_features,
    supports_int8_matmul,
)
from inference.vision.interrogation.ranking.matches import normalise_rows, to_column_major

bytes_only = pytest.mark.skipif(not supports_int8_matmul(), reason="no product of 8 bits here")
COUNT, PLACES = 500, 48
PHRASES = [str(number) for number in range(COUNT)]


def vectors(seed: int, count: int = COUNT, crowded: float = 0.0) -> torch.Tensor:
    """Draw vectors; `crowded` ones share a direction, as CLIP's do."""
    generator = torch.Generator().manual_seed(seed)
    shared = torch.randn(1, PLACES, generator=generator) * crowded
    return normalise_rows(torch.randn(count, PLACES, generator=generator) + shared)


@bytes_only
@settings(deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 20), st.sampled_from([0.0, 1.0, 4.0]))
def test_a_long_list_has_the_matches_of_the_exact_comparison(seed, top, crowded):
    rows = vectors(seed, crowded=crowded)
    image = vectors(seed + 1, 1, crowded)[0]

    found = build_features(rows, long=1).rank_phrases(image, PHRASES, top)

    expected = PhraseFeatures(to_column_major(rows)).rank_phrases(image, PHRASES, top)
    assert [match.phrase for match in expected] == [match.phrase for match in found]
    for ours, exact in zip(found, expected, strict=True):
        assert ours.probability == pytest.approx(exact.probability, rel=0.02)


@bytes_only
def test_a_list_is_read_in_bytes_from_a_length_on():
    assert build_features(vectors(0), long=COUNT).coarse is not None
    assert build_features(vectors(0), long=COUNT + 1).coarse is None
    assert build_features(vectors(0)).coarse is None


@bytes_only
def test_all_of_a_long_list_can_be_asked_for():
    assert (
        len(build_features(vectors(0), long=1).rank_phrases(vectors(1)[0], PHRASES, COUNT + 3))
        == COUNT
    )


def test_without_a_product_of_bytes_all_is_compared_as_it_is(monkeypatch):
    def lacking(*_: object) -> None:
        raise RuntimeError("not on this machine")

    monkeypatch.setattr(torch, "_int_mm", lacking)
    features.supports_int8_matmul.cache_clear()
    try:
        assert build_features(vectors(0), long=1).coarse is None
    finally:
        features.supports_int8_matmul.cache_clear()
