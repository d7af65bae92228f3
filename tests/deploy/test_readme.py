"""Every command of the README is run in a fresh clone, or held against the files that it names."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from main import build_parser
from tests.deploy.manifests import DEPLOY, ROOT, read_compose, read_unit

README = (ROOT / "README.md").read_text(encoding="utf-8")
MAX_LINES = 120
BLOCKS = re.findall(r"^```\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = list(dict.fromkeys(line for block in BLOCKS for line in block.splitlines()))
#: Between backticks in prose: a command line if it begins with one of these.
SPOKEN = re.findall(r"`((?:\.venv/bin/python main\.py|make) [^`]+)`", README)
EASEL = [".venv/bin/python", "main.py"]
#: What a command of the README is run as, where it would not end by itself or installs.
INSTEAD = {
    "make demo TORCH=cpu": "make demo TORCH=cpu ARGS=--once",
    "make setup": "make setup ARGS='--yes --no-download --skip token --skip service'",
}
#: These say yes or no to the whole tree, this test among it: only their names are looked at.
WHOLE = ("make check", "make test", "make check-deploy")


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A fresh clone whose virtual environment is set up already."""
    folder = tmp_path_factory.mktemp("clone") / "easel"
    done = subprocess.run(
        ["git", "clone", "--quiet", "--no-hardlinks", ROOT, folder],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("this tree is no checkout")
    venv = folder / ".venv"
    venv.mkdir()
    for path in Path(sys.prefix).iterdir():
        (venv / path.name).unlink(missing_ok=True)
        (venv / path.name).symlink_to(path)
    for name in (".installed", ".installed-dev"):
        (venv / name).unlink(missing_ok=True)
        (venv / name).touch()
    return folder


def run_in(folder, line):
    quiet = {name: text for name, text in os.environ.items() if not name.startswith("EASEL_")}
    return subprocess.run(
        ["bash", "-c", INSTEAD.get(line, line)],
        cwd=folder,
        env=quiet,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def runs_here(line):
    return shlex.split(line)[0] in ("make", "install", EASEL[0]) and line not in WHOLE


def test_it_is_short():
    assert len(README.splitlines()) <= MAX_LINES


@pytest.mark.slow
@pytest.mark.parametrize("line", [line for line in COMMANDS if runs_here(line)])
def test_a_command_runs_in_a_fresh_clone(clone, line):
    done = run_in(clone, line)

    if line.endswith("main.py run"):  # without a token it says what to do
        assert done.returncode == 2
        assert "DISCORD_TOKEN" in done.stderr
    else:
        assert done.returncode == 0, done.stdout + done.stderr


def compose_service(words):
    assert words[words.index("-f") + 1].startswith("deploy/")
    return read_compose(Path(words[words.index("-f") + 1]).name)


@pytest.mark.parametrize("line", [line for line in COMMANDS if not runs_here(line)])
def test_a_command_that_cannot_run_here_names_files_that_are_there(line):
    words = shlex.split(line)
    match words:
        case ["git", "clone", "<this", *_]:
            assert words[-2:] == ["cd", "easel"]
        case ["docker", "compose", *_, "up", "--detach"]:
            assert compose_service(words)["build"]["dockerfile"] == "deploy/Dockerfile"
        case ["kubectl", "apply", "-k", folder]:
            assert (ROOT / folder / "kustomization.yaml").exists()
        case ["sudo", "systemctl", "enable", "--now", unit]:
            assert read_unit(unit)["Install"]["WantedBy"] == "multi-user.target"
            assert (DEPLOY / unit).exists()
        case ["make", target]:
            assert line in WHOLE
            rules = (ROOT / "Makefile").read_text(encoding="utf-8")
            assert re.search(rf"^{target}:", rules, re.MULTILINE)
        case _:
            pytest.fail(f"nothing says whether this is true: {line}")


@pytest.mark.parametrize("line", SPOKEN)
def test_a_command_in_a_sentence_is_one_that_easel_knows(line):
    words = shlex.split(line)
    if words[0] == "make":
        rules = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert re.search(rf"^{words[1]}:", rules, re.MULTILINE)
    else:
        assert build_parser().parse_args(words[2:]).command == words[2]


def test_the_compose_files_that_it_names_are_all_ways_but_amd_s():
    named = set(re.findall(r"deploy/(compose\S*\.yaml)", README))

    assert named == {path.name for path in DEPLOY.glob("compose*.yaml")} - {
        "compose.common.yaml",
        "compose.rocm.yaml",
    }


@pytest.mark.parametrize("target", re.findall(r"\]\(([^):]+)\)", README))
def test_a_link_leads_to_a_file(target):
    assert (ROOT / target).exists()
