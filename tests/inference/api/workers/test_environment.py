import pytest

from inference.api.workers.environment import allocator_variables


def test_a_cards_memory_grows_where_it_lies(monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    assert allocator_variables({}) == {"PYTORCH_ALLOC_CONF": "expandable_segments:True"}


@pytest.mark.parametrize("name", ["PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"])
def test_what_the_host_says_of_memory_counts(monkeypatch, name):
    monkeypatch.setattr("sys.platform", "linux")
    assert allocator_variables({name: "max_split_size_mb:128"}) == {}


def test_where_it_cannot_grow_nothing_is_said(monkeypatch):
    monkeypatch.setattr("sys.platform", "win32")
    assert allocator_variables({}) == {}
