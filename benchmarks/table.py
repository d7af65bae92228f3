"""Print what was measured, with the machine it was measured on, as a Markdown table."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path


def machine() -> str:
    """Name the processor, its cores and the versions that matter."""
    names = (
        [
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ]
        if Path("/proc/cpuinfo").exists()
        else [platform.processor()]
    )
    return f"{names[0]}, {os.cpu_count()} cores, Python {platform.python_version()}"


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print one table."""
    print(f"\n### {title}\n\n{machine()}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    for row in rows:
        print("| " + " | ".join(_cell(value) for value in row) + " |")


def spread(values: Sequence[float], unit: str = "s") -> str:
    """Write a median with the least and the most."""
    middle = statistics.median(values)
    return f"{middle:.3g} {unit} ({min(values):.3g} to {max(values):.3g})"


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
