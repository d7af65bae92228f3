"""Which version of Easel this is: said by `pyproject.toml`, or by what was installed."""

from __future__ import annotations

from bot.support.paths import CODE_ROOT, is_installed

DISTRIBUTION_NAME = "easel-bot"
UNKNOWN_VERSION = "unknown"


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


def install_hint(extra: str = "") -> str:
    """Say what installs Easel's libraries anew, or an extra; PyPI's `easel` is a stranger."""
    source, option = (DISTRIBUTION_NAME, "") if is_installed() else (".", "-e ")
    return f"pip install {option}'{source}[{extra}]'" if extra else f"pip install {option}{source}"
