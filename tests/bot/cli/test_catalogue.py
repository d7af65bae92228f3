"""`models catalogue`: a table that fits the terminal."""

from __future__ import annotations

import pytest

from bot.cli.catalogue import show_catalogue
from inference.api.catalogue.entries import CATALOGUE_FILE, read_catalogue


@pytest.mark.parametrize("columns", [80, 120])
def test_every_key_is_whole_and_nothing_is_cut(settings, monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert show_catalogue(settings) == 0
    table = capsys.readouterr().out
    assert max(map(len, table.splitlines())) <= columns
    assert "…" not in table
    words = " ".join(table.split())
    for entry in read_catalogue().entries:
        assert entry.key in table
        assert entry.title.split()[0] in words


def test_it_is_filtered_by_family_use_and_memory(settings, capsys):
    assert show_catalogue(settings, "sd1", "inpainting") == 0
    table = capsys.readouterr().out
    assert "dreamshaper-8-inpainting" in table
    assert "sdxl" not in table
    assert show_catalogue(settings, use="checkpoint", memory_gb=4) == 0
    table = capsys.readouterr().out
    assert "sd15" in table
    assert "sdxl" not in table


def test_what_is_here_is_ticked(settings, capsys):
    entry = read_catalogue().find_entry("sd15")
    path = entry.model_path(settings.models_path, settings.data_dir / "cache")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    show_catalogue(settings, "sd1", "checkpoint")
    table = capsys.readouterr().out
    assert "✓ Stable Diffusion 1.5" in table
    assert table.count("✓ ") == 1


def test_a_filter_that_nothing_passes_says_what_there_is(settings, capsys):
    assert show_catalogue(settings, "sd9") == 2
    told = capsys.readouterr().err
    assert "Families: sd1, sdxl." in told
    assert "inpainting" in told


def test_a_broken_catalogue_of_the_hosts_own_is_said(settings, capsys):
    settings.models_path.mkdir(parents=True)
    (settings.models_path / CATALOGUE_FILE).write_text("[[models", encoding="utf-8")
    assert show_catalogue(settings) == 2
    assert "cannot be read as a catalogue" in capsys.readouterr().err
