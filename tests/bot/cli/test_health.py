from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

import main
from bot.support.health import HEALTH_REPORT_FILE, write_report
from bot.support.version import find_version
from tests.bot.support.test_health import report

ROOT = Path(__file__).parents[3]
#: Runs main.py as a command does, and prints what it imported beside its own last words.
PROBE = """
import runpy, sys
sys.argv = ["main.py", *sys.argv[1:]]
try:
    runpy.run_path("main.py", run_name="__main__")
except SystemExit as end:
    print("exit", end.code)
print("modules", *sys.modules)
"""


def probe(*words: str, **environment: str) -> tuple[str, list[str], set[str]]:
    """Run a command in a process of its own; return its exit code, words and foreign modules."""
    bare = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *words],
        cwd=ROOT,
        env={"PATH": "", "EASEL_HOME": "/nowhere", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    *lines, code, modules = done.stdout.splitlines()
    loaded = {name.partition(".")[0] for name in modules.split()[1:] if name not in bare}
    return (
        code.removeprefix("exit "),
        lines,
        loaded - sys.stdlib_module_names - {"bot", "inference", "main"},
    )


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("backup", "--help")])
def test_help_and_version_import_nothing_foreign(words):
    code, lines, foreign = probe(*words)

    assert code == "0"
    assert lines
    assert foreign == set()


def test_health_imports_nothing_foreign(tmp_path):
    write_report(tmp_path / HEALTH_REPORT_FILE, report(time=time.time()))

    code, lines, foreign = probe("health", EASEL_DATA_DIR=str(tmp_path))

    assert code == "0"
    assert [line.partition(";")[0] for line in lines] == ["healthy: Discord answers in 42 ms"]
    assert foreign == set()


def test_a_settings_file_costs_health_its_parser_alone(tmp_path):
    (tmp_path / ".env").write_text(f"EASEL_DATA_DIR={tmp_path}/elsewhere\n")

    code, lines, foreign = probe("health", EASEL_HOME=str(tmp_path))

    assert code == "1"
    assert f"{tmp_path}/elsewhere/health.json" in lines[0]
    assert foreign == {"dotenv"}


@pytest.mark.parametrize(("age_seconds", "code"), [(0, "0"), (90, "1")])
def test_a_stale_report_is_unhealthy(tmp_path, age_seconds, code):
    write_report(tmp_path / HEALTH_REPORT_FILE, report(time=time.time() - age_seconds))

    assert probe("health", EASEL_DATA_DIR=str(tmp_path))[0] == code


def test_the_version_is_the_projects(capsys):
    with pytest.raises(SystemExit) as end:
        main.build_parser().parse_args(["--version"])

    assert not end.value.code
    assert capsys.readouterr().out == f"Easel {find_version()}\n"
    assert f'version = "{find_version()}"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    ("called_as", "name"),
    [
        ("main.py", "main.py"),
        ("/srv/easel/main.py", "main.py"),
        ("/usr/bin/easel", "easel"),
        ("easel.exe", "easel"),
        ("/lib/easel/__main__.py", "easel"),
        ("", "easel"),
    ],
)
def test_help_names_the_command_as_it_was_called(called_as, name):
    assert main.find_program_name(called_as) == name
    assert main.build_parser(name).format_usage().startswith(f"usage: {name} ")
