"""Which version of Easel this is: said by `pyproject.toml`, or by what was installed."""

from __future__ import annotations

from pathlib import Path

DISTRIBUTION_NAME = "easel-bot"
UNKNOWN_VERSION = "unknown"
CODE_ROOT = Path(__file__).resolve().parents[2]


def find_version() -> str:
    """Return the version of the code that runs."""
    project_file = CODE_ROOT / "pyproject.toml"
    if project_file.is_file():
        import tomllib

        version: str = tomllib.loads(project_file.read_text(encoding="utf-8"))["project"]["version"]
        return version
    from importlib import metadata

    try:
        return metadata.version(DISTRIBUTION_NAME)
    except metadata.PackageNotFoundError:
        return UNKNOWN_VERSION
