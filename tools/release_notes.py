"""Print a version's section of CHANGELOG.md: `python tools/release_notes.py v1.2.3`.

Exits with 1 where the version is not that of pyproject.toml, or where the changelog says nothing.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def find_notes(tag: str, root: Path = ROOT) -> str:
    """Find what the changelog says of a tag.

    Raises:
        ValueError: tag, pyproject.toml and changelog do not fit.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if tag != f"v{project['version']}":
        raise ValueError(f"The tag {tag} is not pyproject.toml's version {project['version']}.")
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    head = re.search(rf"^## \[?{re.escape(tag[1:])}\b.*\n", changelog, re.MULTILINE)
    if head is None:
        raise ValueError(f"CHANGELOG.md has no section {tag[1:]}: rename “Unreleased” to it.")
    return re.split(r"^## ", changelog[head.end() :], maxsplit=1, flags=re.MULTILINE)[0].strip()


def main() -> int:
    """Print the notes, or what does not fit."""
    try:
        print(find_notes(sys.argv[1]))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
