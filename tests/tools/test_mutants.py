from __future__ import annotations

import pytest

from tests.proofs import proof_size
from tools.mutants import ROOT, copied_tree, describe_mutants, judge_mutant, load_mutants

MUTANTS = load_mutants()
RELIABILITY = ROOT / "docs" / "reliability.md"
#: What the tests run of them; all with `make prove`.
PART = 2


def test_there_are_forty_of_forty_promises():
    assert len(MUTANTS) >= 40
    assert len({mutant.promise for mutant in MUTANTS}) >= 40


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_version_can_be_made_and_its_tests_are_there(mutant):
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1
    assert mutant.new != mutant.old
    compile(text.replace(mutant.old, mutant.new), mutant.file, "exec")
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text(encoding="utf-8")


def test_the_docs_list_them():
    assert "\n".join(describe_mutants(MUTANTS)) in RELIABILITY.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.parametrize(
    "mutant", MUTANTS[: proof_size(PART, len(MUTANTS))], ids=lambda mutant: mutant.name
)
def test_the_tests_notice(mutant):
    with copied_tree() as root:
        assert judge_mutant(root, mutant) is None
