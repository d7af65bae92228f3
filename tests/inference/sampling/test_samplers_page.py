"""docs/samplers.md: a line for each sampler and schedule, with a proof that exists."""

import re
from pathlib import Path

import pytest

from inference.api.infotext.names import OTHER_GRIDS
from inference.api.jobs.names import SAMPLER_NAMES, SCHEDULE_NAMES

HERE = Path(__file__).parent
PAGE = (HERE.parents[2] / "docs" / "samplers.md").read_text(encoding="utf-8")
LINES = re.findall(r"^\| ([^|]+) \| ([^|]+) \| `([^`|]+)` \|$", PAGE, re.MULTILINE)


def test_every_sampler_and_schedule_has_its_line_in_order():
    assert tuple(name for name, _, _ in LINES) == (*SAMPLER_NAMES, *SCHEDULE_NAMES)


@pytest.mark.parametrize(("name", "proof"), [(name, proof) for name, _, proof in LINES])
def test_every_line_has_a_proof(name, proof):
    path, _, test = proof.partition("::")
    assert f"def {test}(" in (HERE / path).read_text(encoding="utf-8")


def test_files_are_read_with_a_note_where_a_line_is_not_equal():
    samplers, schedules = LINES[: len(SAMPLER_NAMES)], LINES[len(SAMPLER_NAMES) :]
    different = {
        (kind, name)
        for kind, lines in (("sampler", samplers), ("schedule", schedules))
        for name, words, _ in lines
        if not words.startswith("equal") or "; but " in words
    }
    assert different == {(kind, name) for kind, names in OTHER_GRIDS.items() for name in names}
