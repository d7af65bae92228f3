from __future__ import annotations

import sys

from tools.audit import audit, judge

WRITER = "import sys; open(sys.argv[-1], 'w').write({text!r}); sys.exit({code})"


def asked(text: str, code: int = 0, seconds: float = 30.0):
    return audit(seconds, (sys.executable, "-c", WRITER.format(text=text, code=code)))


def package(*weaknesses):
    vulns = [{"id": name, "fix_versions": list(fixed)} for name, fixed in weaknesses]
    return {"name": "pillow", "version": "9.0", "vulns": vulns}


def test_an_answer_is_read_though_the_program_says_no():
    assert asked('{"dependencies": []}', 1) == {"dependencies": []}


def test_no_answer_is_none():
    assert asked("no json") is None
    assert audit(0.01, (sys.executable, "-c", "import time; time.sleep(60)")) is None
    assert audit(30, (sys.executable, "-c", "raise SystemExit(1)")) is None


def test_a_list_that_cannot_be_reached_stops_nothing():
    for found in (
        None,
        {"dependencies": []},
        {"dependencies": [{"name": "x", "skip_reason": "y"}]},
    ):
        code, (line,) = judge(found)
        assert code == 0
        assert "could not be reached" in line


def test_known_weaknesses_stop_and_are_named():
    found = {"dependencies": [package(("CVE-1", ["9.1"]), ("CVE-2", [])), package()]}

    code, lines = judge(found)

    assert code == 1
    assert (lines) == [
        "pillow 9.0: CVE-1, mended in 9.1",
        "pillow 9.0: CVE-2, mended in no release yet",
    ]


def test_none_known_is_said_with_their_number():
    code, (line,) = judge({"dependencies": [package(), {"name": "torch", "skip_reason": "local"}]})

    assert (code, line) == (0, "Weaknesses: none known in 1 packages; 1 are not listed there.")
