"""Look for known weaknesses of what is installed: `python tools/audit.py [--seconds N]`.

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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "--skip-editable")


def audit(seconds: float, command: Sequence[str] = COMMAND) -> dict[str, Any] | None:
    """Ask, for at most so many seconds; None when there was no answer."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        try:
            subprocess.run(
                [*command, "--format", "json", "--output", str(answer)],
                timeout=seconds,
                check=False,
                capture_output=True,
            )
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
    code, lines = judge(audit(parser.parse_args().seconds, COMMAND))
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
