"""Every file of deploy/ is what its format says, and each check notices one that is not."""

from __future__ import annotations

import shutil
import subprocess
import tomllib

import pytest

from tests.deploy.manifests import ROOT
from tools.check_deploy import CHECKS, CheckFailed, MissingProgram, run_program

#: The lock is checked against PyPI, which a test does not ask.
OFFLINE = [check for check in CHECKS if check.name != "lock"]
#: A check, a file, and an edit that the check has to notice.
BROKEN = (
    ("Dockerfile", "deploy/Dockerfile", " --no-install-recommends", ""),
    ("Dockerfile", "deploy/Dockerfile", "ENTRYPOINT [", "ENTRYPOIN ["),
    ("compose", "deploy/compose.common.yaml", "read_only:", "read_olny:"),
    ("compose", "deploy/compose.yaml", "count: all", "count: [all]"),
    ("Kubernetes", "deploy/kubernetes/base/statefulset.yaml", "replicas: 1", "replicas: one"),
    ("Kubernetes", "deploy/kubernetes/base/statefulset.yaml", "exec: {", "execute: {"),
    ("Kubernetes", "deploy/kubernetes/nvidia/kustomization.yaml", "../base", "../bass"),
    ("ray up", "deploy/ray/cluster.yaml", "provider:", "providers:"),
    ("ray up", "deploy/ray/cluster.yaml", "max_workers: 2", "max_workers: two"),
    ("KubeRay", "deploy/ray/kuberay.yaml", "mode: token", "mode: tokens"),
    ("KubeRay", "deploy/ray/kuberay.yaml", "minReplicas:", "minimumReplicas:"),
    ("KubeRay", "deploy/ray/kuberay.yaml", 'num-cpus: "0"', "num-cpus: 0"),
    ("KubeRay", "deploy/ray/kuberay.yaml", "tcpSocket: {port: 6379}", "tcpSockets: {port: 6379}"),
    ("KubeRay", "deploy/ray/kustomization.yaml", "containers:", "container:"),
    ("systemd", "deploy/easel.service", "WatchdogSec", "WatchdogSeconds"),
    ("systemd", "deploy/easel.service", "[Unit]", "[Unit]\nRestart=always"),
    ("systemd", "deploy/easel.service", "ProtectSystem=strict\n", "PrivateNetwork=no\n"),
    ("systemd", "deploy/easel-backup.timer", "=daily", "=dayly"),
    ("shell", "deploy/install-packages", '"$others"\n    ;;', "$others\n    ;;"),
    ("YAML", "deploy/compose.yaml", "name: easel", "name: easel\nname: easel"),
    ("workflows", ".github/workflows/ci.yml", "runs-on: ubuntu-24.04\n", ""),
    ("workflows' safety", ".github/workflows/ci.yml", "checkout@08c6903cd", "checkout@v5 #"),
    ("workflows' safety", ".github/workflows/ci.yml", "persist-credentials: false", "depth: 1"),
    ("dependabot", ".github/dependabot.yml", "monthly", "sometimes"),
    ("issue forms", ".github/ISSUE_TEMPLATE/bug.yml", "type: textarea", "type: area"),
    ("issue page", ".github/ISSUE_TEMPLATE/config.yml", "false", "perhaps"),
    ("pre-commit", ".pre-commit-config.yaml", "language: system", "speech: system"),
    ("spelling", "docs/hosting.md", "which", "wich"),
    ("pages", "docs/README.md", "(hosting.md)", "(hostings.md)"),
    ("pages", "docs/hosting.md", "(#wheel)", "(#wheels)"),
    ("pages", "docs/README.md", "(../inference/starter/", "(../inference/started/"),
    ("requirements", "deploy/requirements.txt", "sha256:0", "sha256:1"),
)


#: What the checks read besides whole folders.
ALONE = (
    "pyproject.toml",
    "uv.lock",
    "mkdocs.yml",
    ".pre-commit-config.yaml",
    "README.md",
    "inference/starter/README.md",
    "tools/docs_hooks.py",
    "tools/starter/README.md",
)


def run_or_skip(name, root):
    (check,) = [each for each in CHECKS if each.name == name]
    try:
        check.run(root)
    except MissingProgram as error:
        pytest.skip(f"{error} is not installed")


@pytest.mark.parametrize("name", [check.name for check in OFFLINE])
def test_the_files_are_what_their_format_says(name):
    run_or_skip(name, ROOT)


@pytest.mark.parametrize(("name", "file", "old", "new"), BROKEN)
def test_a_broken_file_is_noticed(tmp_path, name, file, old, new):
    for folder in ("deploy", ".ci", ".github", "docs", "tests/deploy"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for each in ALONE:
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / each, tmp_path / each)
    text = (tmp_path / file).read_text(encoding="utf-8")
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(CheckFailed):
        run_or_skip(name, tmp_path)


@pytest.mark.parametrize("first_line", ["#!/gone/.venv/bin/python", "#! /gone/python -E", "#!"])
def test_a_script_of_a_python_that_is_gone_counts_as_not_installed(
    tmp_path, monkeypatch, first_line
):
    script = tmp_path / "bin" / "a-checker"
    script.parent.mkdir()
    script.write_text(f"{first_line}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:/usr/bin:/bin")

    with pytest.raises(MissingProgram, match="a-checker"):
        run_program("a-checker", root=tmp_path)
    script.write_text("#!/bin/sh\necho looked at $1\n")
    assert run_program("a-checker", "files", root=tmp_path) == "looked at files\n"


def test_every_check_has_a_file_that_breaks_it():
    assert {name for name, *_ in BROKEN} == {check.name for check in OFFLINE}


def test_the_lock_has_what_the_project_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    (own,) = [each for each in lock["package"] if each["name"] == project["name"]]
    extras = project["optional-dependencies"]

    def bare(requirement):
        return requirement.split(";")[0].replace(" ", "")

    def written(item):
        chosen = f"[{','.join(item['extras'])}]" if "extras" in item else ""
        return f"{item['name']}{chosen}{item.get('specifier', '')}"

    asked = {bare(text).replace("discord.py", "discord-py") for text in project["dependencies"]}
    asked |= {bare(text) for texts in extras.values() for text in texts}

    assert {written(item) for item in own["metadata"]["requires-dist"]} == asked
    assert set(own["metadata"]["provides-extras"]) == set(extras)


@pytest.fixture
def recorded_pip(tmp_path):
    """A virtual environment whose pip writes down what it is asked for."""
    python = tmp_path / "venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n'
        'for word; do case $word in /tmp/*|*/requirements.txt) cat "$word";; esac; done '
        f">>{tmp_path}/listed\n"
    )
    python.chmod(0o755)
    return tmp_path


def install_packages(folder, *arguments):
    script = ROOT / "deploy/install-packages"
    return subprocess.run(
        [script, folder / "venv", *arguments], capture_output=True, text=True, check=False
    )


def test_without_a_card_torch_is_pytorch_s_own_and_all_else_is_locked(recorded_pip):
    assert install_packages(recorded_pip, "cpu").returncode == 0

    torch, others = (recorded_pip / "asked").read_text().splitlines()
    assert "--index-url https://download.pytorch.org/whl/cpu torch==" in torch
    assert " torchvision==" in torch
    assert "--require-hashes" in others
    names = {line.split("==")[0] for line in (recorded_pip / "listed").read_text().splitlines()}
    assert "diffusers" in names
    assert not [name for name in names if name.startswith(("torch", "nvidia-", "cuda-", "triton"))]


def test_with_a_card_everything_is_locked(recorded_pip):
    assert install_packages(recorded_pip, "cuda").returncode == 0

    (everything,) = (recorded_pip / "asked").read_text().splitlines()
    assert "--require-hashes" in everything
    assert "\ntorch==" in (recorded_pip / "listed").read_text()


@pytest.mark.parametrize("words", [("rocm",), ("gpu",)])
def test_what_cannot_be_installed_is_refused(recorded_pip, words):
    assert install_packages(recorded_pip, *words).returncode == 2
    assert not (recorded_pip / "asked").exists()
