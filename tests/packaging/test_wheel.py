"""What a host has who installs a wheel: the same Easel, beside whatever else has its names."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.support.version import find_version
from tests.doubles.images import encoded, noise

ROOT = Path(__file__).parents[2]
NAMES = ("bot", "inference", "storage", "main")
#: What stands in for other projects' packages of the same names.
STRANGER = "raise SystemExit('a stranger was imported')\n"

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Installation:
    """An environment with the wheel and nothing else of Easel's."""

    environment: Path
    #: Where commands are typed; it holds strangers of our names.
    folder: Path
    home: Path

    def run(self, *words: str, program: str = "easel") -> subprocess.CompletedProcess[str]:
        """Type a command there."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DISCORD_", "EASEL_", "PYTHON", "XDG_", "VIRTUAL_ENV"))
        }
        return subprocess.run(
            [self.environment / "bin" / program, *words],
            cwd=self.folder,
            env={**kept, "HOME": str(self.home), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """Build the wheel, once."""
    folder = tmp_path_factory.mktemp("dist")
    command = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="session")
def installation(wheel, tmp_path_factory) -> Installation:
    """Install the wheel beside strangers; the libraries are those of the tests' environment."""
    root = tmp_path_factory.mktemp("host")
    result = Installation(root / "environment", root / "folder", root / "home")
    result.home.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", result.environment], check=True)
    python = result.environment / "bin" / "python"
    (packages,) = (result.environment / "lib").glob("python*/site-packages")
    # No file of this name in there is followed further: an editable Easel stays out.
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", wheel], check=True)
    for place in (result.folder, packages):
        for name in NAMES:
            (place / name).mkdir(parents=True)
            (place / name / "__init__.py").write_text(STRANGER)
    return result


def test_the_wheel_takes_one_name_and_is_called_easel_bot(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    assert wheel.name == f"easel_bot-{find_version()}-py3-none-any.whl"
    assert {name.split("/")[0] for name in names} == {
        "easel",
        f"easel_bot-{find_version()}.dist-info",
    }
    assert not [name for name in names if name.endswith(".pyc") or "/tests/" in name]


def test_the_wheel_has_every_file_of_the_checkout(wheel):
    listed = subprocess.run(
        ["git", "ls-files", "main.py", "CHANGELOG.md", "bot", "inference", "storage"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")[:-1]
    expected = {f"easel/app/{name}" for name in listed if (ROOT / name).exists()}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("easel/app/")}

    assert expected - held == set()


def test_its_contents_are_clean(wheel):
    done = subprocess.run(
        [Path(sys.executable).with_name("check-wheel-contents"), wheel],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("program", "words"), [("easel", ()), ("python", ("-m", "easel"))], ids=["easel", "python"]
)
def test_it_says_which_version_it_is(installation, program, words):
    done = installation.run(*words, "--version", program=program)

    assert done.stdout == f"Easel {find_version()}\n", done.stderr
    assert "usage: easel " in installation.run(*words, "--help", program=program).stdout


def test_doctor_finds_everything_where_the_system_keeps_it(installation):
    done = installation.run("doctor")

    fixes = [line for line in done.stdout.splitlines() if line.startswith("FIX")]
    assert fixes == ["FIX Discord token: not set"], done.stdout + done.stderr
    assert f"Data directory: {installation.home}/" in done.stdout
    assert f"Settings file: {installation.home}/" in done.stdout
    assert "Worker: starts on cpu" in done.stdout


def test_a_job_is_done_beside_strangers(installation):
    (installation.folder / "photo.png").write_bytes(encoded(noise((64, 64))))
    words = ("--image", "photo.png", "--prompt", "an apple", "--steps", "2", "--out", "out")

    done = installation.run("job", "img2img", *words)

    assert done.returncode == 0, done.stdout + done.stderr
    (image,) = (installation.folder / "out").iterdir()
    assert image.read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in installation.folder.iterdir()} == {*NAMES, "photo.png", "out"}


def test_models_are_looked_after(installation):
    done = installation.run("models", "verify")

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("folder", ["bot", "inference", "deploy", "docs", ".github", "."])
def test_nobody_is_told_to_install_the_stranger_on_pypi(folder):
    """PyPI's `easel` is another project's: whoever installed it would run its code."""
    pattern = re.compile(r"(?:install|--from|uvx|pipx run)\s+['\"]?easel(?![\w-])")
    paths = (ROOT / folder).glob("*" if folder == "." else "**/*")
    told = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in paths
        if path.suffix in (".py", ".md", ".json", ".yaml", ".yml", ".toml")
        for match in pattern.finditer(path.read_text(encoding="utf-8"))
    ]

    assert told == []
