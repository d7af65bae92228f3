"""What an update brings to a data directory: whose it was last, and what changed since."""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path

from bot.support.paths import CODE_ROOT, is_installed
from bot.support.version import DISTRIBUTION_NAME

#: In the data directory: the version that opened it last.
VERSION_FILE = "opened-by.txt"
CHANGELOG_FILE = CODE_ROOT / "CHANGELOG.md"
SECTION_PATTERN = re.compile(r"^## \[?(Unreleased|\d[\w.+-]*)\]?", re.MULTILINE)
CONTAINER_FILES = (Path("/.dockerenv"), Path("/run/.containerenv"))


def note_version(data_dir: Path, version: str) -> None:
    """Note which version opened a data directory; a disk that refuses this stops nothing."""
    with contextlib.suppress(OSError):
        (data_dir / VERSION_FILE).write_text(f"{version}\n", encoding="utf-8")


def read_noted_version(data_dir: Path) -> str | None:
    """Read which version opened a data directory last; None where nobody noted one."""
    try:
        return (data_dir / VERSION_FILE).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def changes_since(changelog: str, version: str | None) -> str:
    """Return the changelog's sections above the one of a version; all where it has none."""
    heads = list(SECTION_PATTERN.finditer(changelog))
    if not heads:
        return ""
    end = next((head.start() for head in heads if head[1] == version), len(changelog))
    return changelog[heads[0].start() : end].strip()


def update_command() -> str:
    """Say what brings the newest version, by how this one was installed."""
    if any(path.exists() for path in CONTAINER_FILES):
        return "pull the newest image and start it: docker compose pull && docker compose up -d"
    if not is_installed():
        return "git pull && make install"
    places = Path(sys.prefix).parts
    if "pipx" in places:
        return f"pipx upgrade {DISTRIBUTION_NAME}"
    if "uv" in places and "tools" in places:
        return f"uv tool upgrade {DISTRIBUTION_NAME}"
    return f"{sys.executable} -m pip install --upgrade {DISTRIBUTION_NAME}"
