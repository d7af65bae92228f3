"""What image and unit promise of a confined bot, tried without an engine and without systemd."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.manifests import ROOT, read_unit

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parent / "image_root.sh"
#: Loads the filter of the unit's system calls, then becomes the command.
FILTERED = """
import os, sys
import pyseccomp as seccomp
allowed, command = sys.argv[1].split(","), sys.argv[2:]
rules = seccomp.SyscallFilter(defaction=seccomp.ERRNO(1))
for name in allowed:
    try:
        rules.add_rule(seccomp.ALLOW, name)
    except (RuntimeError, ValueError, OSError):
        pass  # another architecture's
rules.load()
os.execvp(command[0], command)
"""


def may_unshare():
    if shutil.which("unshare") is None or shutil.which("setpriv") is None or os.geteuid() != 0:
        return False
    done = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"],
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


@pytest.fixture
def run_confined(tmp_path):
    """Run a command in the image's root; its data directory is `tmp_path / "data"`."""
    if not may_unshare():
        pytest.skip("mounts of one's own are not allowed here")
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    os.chown(data, 10001, 10001)

    def run(*command):
        script = [SCRIPT, ROOT, sys.prefix, sys.base_prefix, data, *command]
        return subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", *map(str, script)],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    run.data = data
    return run


def test_a_job_runs_with_a_read_only_root_no_rights_and_no_environment(run_confined):
    tried = run_confined("sh", "-c", "touch /x || touch /app/x || touch /venv/x || touch /usr/x")
    assert tried.returncode != 0
    assert tried.stderr.count("Read-only file system") == 4

    done = run_confined(
        *("python", "main.py", "job", "img2img", "--image", "bot/samples/red-apple.png"),
        *("--prompt", "green apple", "--steps", "2", "--out", "/data/out"),
    )

    assert done.returncode == 0, done.stderr
    (picture,) = (run_confined.data / "out").glob("*.png")
    assert picture.stat().st_uid == 10001


def unit_system_calls():
    """List the system calls that the unit's filter lets through, as systemd expands them."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    names, pending = set(), read_unit()["Service"]["SystemCallFilter"].split()
    while pending:
        name = pending.pop()
        if not name.startswith("@"):
            names.add(name)
            continue
        done = subprocess.run(
            ["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True
        )
        words = [line.strip() for line in done.stdout.splitlines()[1:]]
        pending += [word for word in words if word and not word.startswith("#")]
    return sorted(names)


def test_worker_and_decoders_start_within_the_unit_s_system_calls(run_confined):
    """The decoders' own sandbox needs calls that systemd's set for services lacks."""
    done = run_confined(
        *("python", "-c", FILTERED, ",".join(unit_system_calls()), "env", "DISCORD_TOKEN=none"),
        *("python", "main.py", "doctor"),
    )

    assert "ok  Worker: starts on cpu" in done.stdout, done.stderr
    (decoders,) = [line for line in done.stdout.splitlines() if "Decoders" in line]
    assert "landlock" in decoders.lower()
    assert "seccomp" in decoders.lower()
    assert "missing" not in decoders
