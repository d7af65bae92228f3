"""Every promise of docs/reliability.md and docs/storage.md names a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMED = re.compile(r"`((?:[\w/]+\.py)?)::(\w+)(…?)`")
LEAST = 40  # promises of the page


def named() -> list[tuple[str, str, str]]:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    return NAMED.findall(text)


def test_the_page_names_its_proofs():
    assert len(named()) >= LEAST
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "promise" not in line]
    long_runs = text[text.index("## The long runs") :]
    for row in rows:
        assert NAMED.search(row) or row in long_runs, row


@pytest.mark.parametrize(("file", "test", "more"), named(), ids=lambda value: str(value)[-60:])
def test_a_named_proof_is_there(file, test, more):
    text = (ROOT / "tests" / file).read_text(encoding="utf-8")

    end = "" if more else r"\("
    assert re.search(rf"^(async )?def {test}{end}", text, re.MULTILINE)
