"""The catalogue: every entry is complete, and agrees with the code that uses it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from inference.api.catalogue.entries import (
    KIND_PLACES,
    SHIPPED_CATALOGUE,
    CatalogueError,
    ModelKind,
    read_catalogue,
    read_catalogue_file,
)
from inference.api.jobs.names import SAMPLER_NAMES, SCHEDULE_NAMES
from inference.diffusion.latent_preview import LATENT_FAMILIES, TINY_VAE_DIR
from inference.manage_models import KIND_FOLDERS
from inference.model_files.identity import FAMILY_TITLES, FileKind
from inference.upscaling.catalogue import DOWNLOAD_ENTRIES
from inference.vision.nsfw.checker import SAFETY_MODELS_FOLDER

ENTRIES = read_catalogue().entries
MODELS, CACHE = Path("models"), Path("cache")
#: Licences of the field that leave a host free to serve members, and those that do not.
FREE_LICENCES = {"creativeml-openrail-m", "openrail++", "apache-2.0", "mit", "bsd-3-clause"}
BOUND_LICENCES = {"sai-nc-community", "s-lab-1"}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.key)
def test_every_entry_is_complete_and_consistent(entry):
    free_or_bound = BOUND_LICENCES if entry.licence.non_commercial else FREE_LICENCES
    assert entry.licence.key in free_or_bound
    assert entry.licence.url.startswith("https://")
    assert entry.family in ("", *FAMILY_TITLES)
    assert len(entry.about) < 80
    if entry.layout == "file":
        assert entry.kind in get_args(FileKind)
        assert KIND_FOLDERS[entry.kind] == KIND_PLACES[entry.kind]
    if entry.layout in ("file", "pipeline"):
        assert all(file.path.endswith(".safetensors") for file in entry.files)
    if entry.layout == "pipeline":
        assert entry.kind == "checkpoint"
    if entry.kind == "preview":
        assert entry.model_path(MODELS, CACHE).parent == MODELS / TINY_VAE_DIR
        assert entry.key in {family.tiny for family in LATENT_FAMILIES.values()}
    if entry.kind == "nsfw":
        assert entry.model_path(MODELS, CACHE).parent == MODELS / SAFETY_MODELS_FOLDER
    if entry.kind == "vae":
        partner = read_catalogue().find_entry(entry.goes_with)
        assert (partner.kind, partner.family) == ("checkpoint", entry.family)
    if entry.kind == "lora":
        assert f"<lora:{entry.key}:1>" in entry.about
    if entry.defaults is not None:
        assert entry.defaults.sampler in SAMPLER_NAMES
        assert entry.defaults.schedule in SCHEDULE_NAMES
        assert entry.defaults.width % 64 == entry.defaults.height % 64 == 0
        assert 1 <= entry.defaults.steps <= 50
        assert 1 <= entry.defaults.guidance <= 12


def test_a_size_is_stated_with_its_hash_and_the_other_way_round():
    """Where only one were known the other would be a guess; upscalers' sizes nobody states."""
    files = [file for entry in ENTRIES if entry.layout != "address" for file in entry.files]
    assert [file.path for file in files if (file.bytes is None) != (file.sha256 is None)] == []


def test_no_file_stands_there_twice():
    hashes = [file.sha256 for entry in ENTRIES for file in entry.files if file.sha256]
    assert len(hashes) == len(set(hashes))


def test_each_kind_and_each_size_of_card_has_something():
    assert {entry.kind for entry in ENTRIES} == set(get_args(ModelKind))
    for family in ("sd1", "sdxl"):
        assert len(read_catalogue().select_entries(family, "checkpoint")) >= 2
        assert read_catalogue().select_entries(family, "inpainting")
        assert read_catalogue().select_entries(family, "lora")
        assert read_catalogue().select_entries(family, "vae")


def test_the_upscalers_with_an_address_are_those_of_the_catalogue():
    keys = [entry.key for entry in read_catalogue().select_entries(use="upscaler")]
    assert [entry.key for entry in DOWNLOAD_ENTRIES] == keys


@pytest.mark.parametrize(
    ("memory_gb", "family"), [(None, "sd1"), (3.9, "sd1"), (6, "sd1"), (7.6, "sdxl"), (24, "sdxl")]
)
def test_what_is_proposed_first_fits(memory_gb, family):
    proposals = read_catalogue().propose_checkpoints(memory_gb)
    assert proposals[0].family == family
    assert 2 <= len(proposals) <= 3
    assert not any(entry.inpainting or entry.licence.non_commercial for entry in proposals)


def test_too_small_a_card_is_proposed_nothing():
    assert read_catalogue().propose_checkpoints(2) == []


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(CatalogueError, match=r"no model “sdxl-bas”\. Did you mean .*sdxl-base"):
        read_catalogue().find_entry("sdxl-bas")


def test_the_hosts_own_entries_come_first(tmp_path):
    entry = SHIPPED_CATALOGUE.read_text("utf-8").partition("[[models]]")[2].partition("[[models]]")
    own = f"[[models]]{entry[0]}".replace("realvisxl-v5", "mine").replace("RealVisXL V5.0", "Mine")
    again = own.replace('"mine"', '"sd15"')
    (tmp_path / "catalogue.toml").write_text(own + again, encoding="utf-8")
    catalogue = read_catalogue(tmp_path)
    assert [entry.key for entry in catalogue.entries[:2]] == ["mine", "sd15"]
    assert catalogue.find_entry("sd15").title == "Mine"
    assert len(catalogue.entries) == len(ENTRIES) + 1


GOOD = """
[licences.mit]
title = "MIT"
url = "https://opensource.org/license/mit"

[[models]]
key = "a"
title = "A"
kind = "lora"
family = "sd1"
about = "b"
repository = "o/n"
layout = "file"
licence = "mit"
files = [{ path = "a.safetensors" }]
"""


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        ('kind = "lora"', 'kind = "lorra"', "its kind is unknown"),
        ('family = "sd1"', 'family = "sd9"', "its family is unknown"),
        ('licence = "mit"', 'licence = "none"', "its licence is not in the list"),
        ('about = "b"', "", "cannot be read as a catalogue: .*about"),
        ('about = "b"', 'about = ""', "says nothing of what it is for"),
        ('key = "a"', 'key = "a/b"', "its key has other signs"),
        ('repository = "o/n"', 'repository = "on"', "its repository is not owner/name"),
        (
            'repository = "o/n"',
            'repository = "o/n"\nrevision = "main"',
            "its revision is no commit",
        ),
        ('"a.safetensors"', '"../a.safetensors"', "leads out of its folder"),
        ('"a.safetensors"', '"a.safetensors", sha256 = "xyz"', "a SHA-256 is none"),
        ('"a.safetensors"', '"a.safetensors", bytes = 0', "a size is none"),
        ('"a.safetensors" }', '"a.safetensors" }, { path = "b" }', "is one file and names several"),
        ('[{ path = "a.safetensors" }]', "[]", "it names no file"),
        ('kind = "lora"', 'kind = "checkpoint"', "no family, memory or defaults"),
        ('layout = "file"', 'layout = "address"', "a file has no https address"),
        ('layout = "file"', "layout = file", "cannot be read as a catalogue"),
        ('layout = "file"', 'layout = "file"\nsize = 3', "cannot be read as a catalogue: .*size"),
    ],
)
def test_a_broken_entry_is_refused_in_words(tmp_path, good, bad, words):
    path = tmp_path / "catalogue.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert len(read_catalogue_file(path, {})[1]) == 1
    path.write_text(GOOD.replace(good, bad), encoding="utf-8")
    with pytest.raises(CatalogueError, match=re.compile(words, re.DOTALL)):
        read_catalogue_file(path, {})


def test_a_key_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "catalogue.toml"
    path.write_text(GOOD + GOOD[GOOD.index("[[models]]") :], encoding="utf-8")
    with pytest.raises(CatalogueError, match="a stands there twice"):
        read_catalogue_file(path, {})
