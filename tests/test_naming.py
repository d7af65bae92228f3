"""The rules of docs/contributing.md on names and folders that can be read off the source."""

from __future__ import annotations

import ast
import re

import pytest

from tools import structure

MAX_ONE_WORD_SHARE = 0.35
MAX_FILLER_SHARE = 0.003
MAX_REPEATED_FUNCTIONS = 8
MAX_LOOSE_MODULES = 12
DISCORD_BASE = re.compile(r"\b(?:ui|commands)\.\w*?(Button|Select|Modal|View|Cog)\b")
#: `path/to/module.py:name` and `path/to/test_module.py::test_name` in a page.
CITATION = re.compile(r"`([\w/]+\.py):{1,2}(\w+)`")
#: What the tests that a page cites lie below.
TESTS_BY_PAGE = {"architecture.md": "tests/inference/engine", "decisions.md": "tests"}


@pytest.fixture(scope="module")
def names():
    counted_names = structure.Names()
    for path in structure.list_sources(*structure.PACKAGES):
        counted_names.add_module(path)
    return counted_names


def test_names_say_more_than_one_word(names):
    assert names.one_word_share() <= MAX_ONE_WORD_SHARE


def test_variables_are_nouns(names):
    assert len(names.fillers) <= MAX_FILLER_SHARE * names.variables, names.fillers


def test_a_class_name_stands_for_one_class(names):
    assert names.repeated_classes() == []


def test_few_functions_share_their_names(names):
    assert len(names.repeated_functions()) <= MAX_REPEATED_FUNCTIONS, names.repeated_functions()


def test_a_folder_can_be_taken_in_at_a_glance():
    counts = structure.loose_modules()
    counts.pop("bot/commands")  # one a slash command

    assert {folder: n for folder, n in counts.items() if n > MAX_LOOSE_MODULES} == {}


def test_discord_classes_end_in_what_they_are():
    bases = {
        node.name: [ast.unparse(base) for base in node.bases]
        for path in structure.list_sources("bot")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    }
    parents = {base for above in bases.values() for base in above}
    suffixes = {name: discord_suffix(name, bases) for name in bases if name not in parents}
    suffixes = {name: suffix for name, suffix in suffixes.items() if suffix}

    assert len(suffixes) > 40
    assert [name for name, suffix in suffixes.items() if not name.endswith(suffix)] == []


def discord_suffix(base: str, bases: dict[str, list[str]]) -> str | None:
    """Say which of discord.py's classes stands above a class, if any."""
    if match := DISCORD_BASE.search(base):
        return match[1]
    above = bases.get(base.partition("[")[0].rpartition(".")[2], [])
    return next(filter(None, (discord_suffix(name, bases) for name in above)), None)


def test_prose_is_wrapped():
    assert structure.long_prose_lines() == []


@pytest.mark.parametrize("page", TESTS_BY_PAGE)
def test_what_a_page_names_is_there(page):
    text = (structure.ROOT / "docs" / page).read_text(encoding="utf-8")
    citations = CITATION.findall(text)

    assert citations
    for path, name in citations:
        folder = TESTS_BY_PAGE[page] if path.startswith("test_") else ""
        source = (structure.ROOT / folder / path).read_text(encoding="utf-8")
        assert re.search(rf"^ *((async )?def|class) {name}\b|^{name}\b", source, re.MULTILINE), name
