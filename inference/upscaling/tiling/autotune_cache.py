"""What was measured on this machine, kept in a small file so that it is measured once."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import torch

from inference.model_files.hashes import read_values, write_values


class AutotuneCache:
    """Values by what they depend on; without a file they are kept while the worker runs."""

    def __init__(self, store: Path | None = None) -> None:
        """Take the file; it need not exist yet, and a damaged one counts as empty."""
        self._store = store
        self._values = {} if store is None else read_values(store)

    def get(self, key: str) -> Any:
        """Look a value up; None where there is none."""
        return self._values.get(key)

    def put(self, key: str, value: Any) -> None:
        """Keep a value that JSON can hold."""
        self._values[key] = value
        if self._store is not None:
            write_values(self._store, self._values)


def machine_key(device: torch.device) -> str:
    """Name all that a time depends on but the network: device, threads, torch's version."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        name = f"{device.type} {_processor_name()}, {torch.get_num_threads()} threads"
    return f"{name}|torch {torch.__version__}"


def _processor_name() -> str:
    """Read the processor's name where the system tells it, else its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
