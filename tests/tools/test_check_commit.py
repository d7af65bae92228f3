from __future__ import annotations

import subprocess

import pytest

from tests.deploy.manifests import ROOT
from tools.check_commit import MAX_BYTES, find_problems

TOKEN = "MTk4NjIyNDgzNDcxOTI1MjQ4" + ".Cl2FMQ." + "ZnCjm1XVW7vRze4b7Cq4se7kKWs"


def listed(*patterns):
    done = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("this tree is no checkout")
    return done.stdout.split()


def test_what_is_committed_holds_no_secret_and_nothing_large(monkeypatch):
    names = listed()
    monkeypatch.chdir(ROOT)

    assert find_problems([ROOT.joinpath(name).relative_to(ROOT) for name in names]) == []


def test_a_token_is_found_with_its_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.md").write_text(f"first\nDISCORD_TOKEN={TOKEN}\n")

    (problem,) = find_problems([(tmp_path / "notes.md").relative_to(tmp_path)])

    assert problem == "notes.md:2: looks like a secret"


def test_a_large_file_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.bin").write_bytes(b"\0" * (MAX_BYTES + 1))

    (problem,) = find_problems([(tmp_path / "model.bin").relative_to(tmp_path)])

    assert problem.startswith("model.bin: 1.0 MiB")
