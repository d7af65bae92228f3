"""What is worth fetching next."""

from __future__ import annotations

import pytest

from bot.cli.checks.next_download import check_next_download, find_next_download
from bot.settings import Settings
from inference.api.catalogue.entries import CATALOGUE_FILE, read_catalogue
from inference.api.messages import ModelInfo


@pytest.fixture
def settings(tmp_path):
    return Settings(_env_file=None, data_dir=tmp_path)


def models(*names, kinds=()):
    listed = [ModelInfo(name=name, kind="diffusion", size=512) for name in names]
    return listed + [ModelInfo(name=kind, kind=kind, size=0) for kind in kinds]


@pytest.mark.parametrize(
    ("names", "kinds", "memory_gb", "key"),
    [
        (["starter", "starter-inpaint"], [], None, "dreamshaper-8"),
        (["starter"], [], 4, "dreamshaper-8"),
        (["starter"], [], 24, "realvisxl-v5"),
        (["starter", "realvisxl-v5"], [], 24, "sdxl-inpainting"),
        (["dreamshaper-8"], [], 24, "dreamshaper-8-inpainting"),
        (["my-own"], [], 24, "sdxl-inpainting"),
        (["my-own", "my-own-inpaint"], [], 24, "florence-2-base"),
        (["my-own", "my-own-inpaint"], ["captioner"], 24, "clipseg"),
        (["starter"], [], 2, None),
    ],
)
def test_the_next_download_is_the_first_that_lacks(settings, names, kinds, memory_gb, key):
    entry = find_next_download(read_catalogue(), settings, models(*names, kinds=kinds), memory_gb)
    assert (entry and entry.key) == key


def test_what_lies_there_is_not_proposed(settings):
    catalogue = read_catalogue()
    have = models("my-own", "my-own-inpaint", kinds=["captioner", "tagger"])
    keys = []
    while entry := find_next_download(catalogue, settings, have, 24):
        keys.append(entry.key)
        entry.model_path(settings.models_path, settings.data_dir / "cache").mkdir(parents=True)
    assert keys == ["clipseg", "falconsai-nsfw"]
    assert check_next_download(settings, have, 24).words == "nothing that this host lacks"


def test_a_broken_catalogue_is_to_be_fixed(settings):
    settings.models_path.mkdir()
    (settings.models_path / CATALOGUE_FILE).write_text("[[models")
    assert "cannot be read as a catalogue" in check_next_download(settings, [], None).fix
