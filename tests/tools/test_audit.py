from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tools.audit import LOCK, audit, judge, read_locked

ROOT = Path(__file__).parents[2]
WRITER = "import sys; open(sys.argv[-1], 'w').write({text!r}); sys.exit({code})"


def asked(text: str, code: int = 0, seconds: float = 30.0):
    return audit(
        ["pillow==9.0"], seconds, (sys.executable, "-c", WRITER.format(text=text, code=code))
    )


def package(*weaknesses):
    vulns = [{"id": name, "fix_versions": list(fixed)} for name, fixed in weaknesses]
    return {"name": "pillow", "version": "9.0", "vulns": vulns}


def test_every_locked_package_is_asked_about_and_none_twice_in_a_list(tmp_path):
    own = '[[package]]\nname = "easel"\nversion = "1"\nsource = { editable = "." }\n'
    entry = '[[package]]\nname = "{}"\nversion = "{}"\nsource = {{ registry = "pypi" }}\n'
    lock = tmp_path / "uv.lock"
    pins = (("numpy", 1), ("numpy", 2), ("pillow", 3))
    lock.write_text(own + "".join(entry.format(*pin) for pin in pins))

    assert read_locked(lock) == [["numpy==1", "pillow==3"], ["numpy==2"]]


def test_easel_s_own_lock_names_what_easel_runs_on():
    names = {pin.split("==")[0] for pins in read_locked(LOCK) for pin in pins}

    assert {"torch", "discord-py", "pillow", "onnxruntime"} <= names


def test_an_answer_is_read_though_the_program_says_no():
    assert asked('{"dependencies": []}', 1) == {"dependencies": []}


def test_no_answer_is_none():
    assert asked("no json") is None
    assert audit([], 0.01, (sys.executable, "-c", "import time; time.sleep(60)")) is None
    assert audit([], 30, (sys.executable, "-c", "raise SystemExit(1)")) is None


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


UNSEEN = {"name": "torch", "skip_reason": "not found on PyPI: torch (2.14.1+cpu)"}


def test_none_known_is_said_with_their_number():
    assert judge({"dependencies": [package()]}) == (0, ["Weaknesses: none known in 1 packages."])


def test_what_could_not_be_looked_at_is_named_beside_what_was_found():
    not_seen = "Not looked at: torch: not found on PyPI: torch (2.14.1+cpu)"

    assert judge({"dependencies": [package(), UNSEEN]})[1][1:] == [not_seen]
    assert judge({"dependencies": [package(("CVE-1", ["9.1"])), UNSEEN]}) == (
        1,
        ["pillow 9.0: CVE-1, mended in 9.1", not_seen],
    )


def test_a_weakness_ends_the_command_and_what_could_not_be_seen_does_not():
    def exit_code(*packages):
        text = json.dumps({"dependencies": list(packages)})
        script = "from tools import audit; audit.COMMAND = {!r}; raise SystemExit(audit.main())"
        command = (sys.executable, "-c", WRITER.format(text=text, code=0))
        return subprocess.run([sys.executable, "-c", script.format(command)], cwd=ROOT).returncode

    assert exit_code(package(("CVE-1", [])), UNSEEN) == 1
    assert exit_code(package(), UNSEEN) == 0
    assert exit_code(UNSEEN) == 0
