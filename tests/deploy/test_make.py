"""What `make` installs, tried with a pip that only says what it is asked for."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.deploy.manifests import ROOT

OFFER = "TORCH=cpu for less"


@pytest.fixture
def make(tmp_path):
    """Run make in a tree whose Python cannot import torch, on a machine with or without a card."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    programs, python = tmp_path / "programs", tmp_path / ".venv/bin/python"
    for path, text in (
        (python, 'case "$*" in *import*) exit 1;; *) echo asked "$@";; esac'),
        (programs / "nvidia-smi", ":"),
    ):
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def run(*words, card=False):
        path = f"{programs}:/usr/bin:/bin" if card else "/usr/bin:/bin"
        done = subprocess.run(
            ["make", *words, "PYTHON=true"],
            cwd=tmp_path,
            env={"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    return run


def test_without_a_card_one_line_says_how_large_it_is_and_how_to_have_less(make):
    code, said = make("demo")

    assert code == 0
    assert [line for line in said.splitlines() if OFFER in line] == [
        "No NVIDIA card is seen here: 3.2 GB will be downloaded, most of it for one; stop this and "
        "say TORCH=cpu for less than 0.8 GB."
    ]
    assert said.index(OFFER) < said.index("asked")


@pytest.mark.parametrize(("words", "card"), [(["TORCH=cuda"], False), ([], True)])
def test_who_has_a_card_or_has_chosen_is_asked_nothing(make, words, card):
    code, said = make("demo", *words, card=card)

    assert code == 0
    assert OFFER not in said
    assert "--index-url" not in said


def test_torch_for_a_processor_comes_from_pytorch_s_own_index(make):
    code, said = make("install", "TORCH=cpu")

    assert code == 0
    torch = next(line for line in said.splitlines() if "torchvision" in line)
    assert "--index-url https://download.pytorch.org/whl/cpu" in torch
    assert OFFER not in said


def test_another_torch_is_refused_before_anything_is_installed(make):
    code, said = make("demo", "TORCH=gpu")

    assert code != 0
    assert "must be cpu or cuda" in said
    assert "asked" not in said


def test_a_demo_brings_no_tools_for_development_and_a_test_does(make):
    _, demo = make("demo", "TORCH=cuda")
    _, test = make("test", "TORCH=cuda", "ARGS=tests")

    assert ".[demo,weights,masks]" in demo
    assert "dev]" not in demo
    assert ".[dev]" in test
    assert ".[demo,weights,masks]" not in test  # it was there already


@pytest.mark.parametrize("target", ["audit", "check", "format", "test", "prove", "bench"])
def test_who_works_on_the_code_has_its_tools_from_every_target(make, target):
    assert ".[dev]" in make(target, "TORCH=cuda")[1]


@pytest.mark.parametrize("target", ["check-deploy", "docs", "lock"])
def test_who_looks_at_the_deployment_has_its_tools_from_every_target(make, target):
    assert ".[deploy]" in make(target, "TORCH=cuda")[1]


STEPS = ["check", "check-deploy", "audit", "test"]


@pytest.mark.parametrize("failing_step", [*STEPS, None])
def test_ci_says_no_at_the_first_step_that_fails(tmp_path, failing_step):
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("chromium", "kubectl", "systemd-analyze"):
        (programs / name).symlink_to("/bin/true")
    make = programs / "make"
    make.write_text(f'#!/bin/sh\necho "$1" >>asked\n[ "$1" != "{failing_step}" ]\n')
    make.chmod(0o755)
    environment = {"PATH": f"{programs}:/usr/bin:/bin"}
    done = subprocess.run([tmp_path / ".ci/run"], env=environment, check=False)

    count = len(STEPS) if failing_step is None else STEPS.index(failing_step) + 1
    assert (tmp_path / "asked").read_text().split() == STEPS[:count]
    assert (done.returncode == 0) == (failing_step is None)
