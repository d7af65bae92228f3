import dataclasses

import pytest
import torch

from inference.vision.interrogation.ranking.clip_ranker import load_clip_ranker
from inference.vision.interrogation.ranking.feature_store import FeatureStore
from inference.vision.interrogation.ranking.phrases import PhraseList

LIST = PhraseList("words", tuple("abcdefg"))


@pytest.fixture(scope="module")
def ranker(models, cpu):
    return load_clip_ranker(models / "clip", cpu)


def filled(store, ranker, phrases=LIST):
    while store.get(ranker, phrases) is None:
        store.encode_next(ranker, phrases)
    return store.get(ranker, phrases)


def test_a_list_is_encoded_in_slices(ranker, tmp_path):
    store = FeatureStore(tmp_path, chunk=3)
    left = [store.encode_next(ranker, LIST) for _ in range(3)]
    assert left == [2, 1, 0]
    torch.testing.assert_close(store.get(ranker, LIST).rows, ranker.encode_phrases(LIST.phrases))


def test_features_are_computed_once(ranker, tmp_path):
    expected = filled(FeatureStore(tmp_path), ranker)
    blind = dataclasses.replace(ranker, model=None)
    assert torch.equal(expected.rows, FeatureStore(tmp_path).get(blind, LIST).rows)


def test_forgetting_leaves_what_is_on_disk(ranker, tmp_path):
    store = FeatureStore(tmp_path)
    expected = filled(store, ranker)
    store.clear_memory()
    assert torch.equal(expected.rows, store.get(ranker, LIST).rows)


def test_another_list_or_network_has_features_of_its_own(ranker, tmp_path):
    store = FeatureStore(tmp_path)
    filled(store, ranker)
    assert store.get(ranker, PhraseList("words", tuple("abcdefh"))) is None
    assert store.get(dataclasses.replace(ranker, digest="0" * 64), LIST) is None


def test_a_damaged_file_is_made_again(ranker, tmp_path):
    expected = filled(FeatureStore(tmp_path), ranker)
    store = FeatureStore(tmp_path)
    store.features_path(ranker, LIST).write_bytes(b"damaged")
    assert store.get(ranker, LIST) is None
    assert torch.equal(expected.rows, filled(store, ranker).rows)


def test_without_room_on_disk_they_live_in_memory(ranker, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert filled(FeatureStore(blocked), ranker) is not None
