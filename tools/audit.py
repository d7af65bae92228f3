"""Look for known weaknesses of what uv.lock names: `python tools/audit.py [--seconds N]`.

The lock has every package of every extra, on every system, whether it is installed here or not.
Exits with 1 when there are any. What could not be looked at is named, whatever else was found.
Where the list of weaknesses cannot be reached in time, that is everything, and the exit is 0: a
machine without a network is no reason to stop.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent.parent / "uv.lock"
COMMAND = (
    *(sys.executable, "-m", "pip_audit", "--progress-spinner", "off"),
    *("--no-deps", "--disable-pip"),
)


def read_locked(lock: Path) -> list[list[str]]:
    """Read the packages of a lock as lists of `name==version`, in none of which a name comes twice.

    A lock has several versions of what differs between Pythons.
    """
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    lists: list[dict[str, str]] = []
    for package in packages:
        if "registry" not in package["source"]:
            continue
        name, pin = package["name"], f"{package['name']}=={package['version']}"
        free = next((pins for pins in lists if name not in pins), None)
        if free is None:
            free = {}
            lists.append(free)
        free[name] = pin
    return [list(pins.values()) for pins in lists]


def audit(
    pins: Sequence[str], seconds: float, command: Sequence[str] = COMMAND
) -> dict[str, Any] | None:
    """Ask about packages, for at most so many seconds; None when there was no answer."""
    with tempfile.TemporaryDirectory() as folder:
        asked, answer = Path(folder) / "asked.txt", Path(folder) / "answer.json"
        asked.write_text("\n".join(pins), encoding="utf-8")
        files = ("--requirement", str(asked), "--format", "json", "--output", str(answer))
        try:
            subprocess.run([*command, *files], timeout=seconds, check=False, capture_output=True)
            found = json.loads(answer.read_text(encoding="utf-8"))
        except (subprocess.TimeoutExpired, OSError, ValueError):
            return None
    return found if isinstance(found, dict) else None


def judge(found: dict[str, Any] | None) -> tuple[int, list[str]]:
    """Return the exit code and what to print."""
    packages = (found or {}).get("dependencies", [])
    looked_at = [package for package in packages if "vulns" in package]
    unseen = [package for package in packages if "vulns" not in package]
    if not looked_at:
        return 0, ["Weaknesses: their list could not be reached, so nothing was looked at."]
    lines = [
        f"{package['name']} {package['version']}: {weakness['id']}, mended in "
        + (", ".join(weakness["fix_versions"]) or "no release yet")
        for package in looked_at
        for weakness in package["vulns"]
    ]
    code = 1 if lines else 0
    if not lines:
        lines = [f"Weaknesses: none known in {len(looked_at)} packages."]
    lines += [f"Not looked at: {package['name']}: {package['skip_reason']}" for package in unseen]
    return code, lines


def main() -> int:
    """Audit and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    seconds = parser.parse_args().seconds
    lists = read_locked(LOCK)
    answers = [audit(pins, seconds, COMMAND) for pins in lists]
    found = {"dependencies": [each for one in answers if one for each in one["dependencies"]]}
    code, lines = judge(found)
    if found["dependencies"]:
        lines += [
            f"Not looked at, as there was no answer: {', '.join(pins)}"
            for pins, answer in zip(lists, answers, strict=True)
            if answer is None
        ]
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
