"""Why a graphics card that is in the machine cannot be used by torch, put into words."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import torch

from inference.api.notices import Notice

#: What the kernel's driver shows while a card of NVIDIA's is there; on Windows a program shows it.
NVIDIA_SIGNS = ("/proc/driver/nvidia/version", "/dev/nvidia0", "/dev/dxg")
NVIDIA_PROGRAM = "nvidia-smi"
#: The same of AMD's.
AMD_SIGNS = ("/dev/kfd",)
#: `CUDA initialization: The NVIDIA driver on your system is too old (found version 11040). …`
OLD_DRIVER_PATTERN = re.compile(r"driver on your system is too old \(found version (\d+)\)")


def find_card_problem() -> Notice | None:
    """Say why torch sees no card although there is one; None where it sees one or there is none.

    Numbers of drivers are those of the newest CUDA that they know, as torch writes them.
    """
    message = _ask_torch()
    if message is None:
        return None
    has_nvidia_card = any(map(_exists, NVIDIA_SIGNS)) or shutil.which(NVIDIA_PROGRAM) is not None
    has_amd_card = any(map(_exists, AMD_SIGNS))
    if match := OLD_DRIVER_PATTERN.search(message):
        number = int(match[1])
        found_version = f"{number // 1000}.{number % 1000 // 10}"
        wanted_version = str(torch.version.cuda)
        return Notice("worker.driver_too_old", found=found_version, wanted=wanted_version)
    if has_nvidia_card and torch.version.cuda is None:
        return Notice("worker.torch_without_card", maker="NVIDIA", version=torch.__version__)
    if has_amd_card and torch.version.hip is None:
        return Notice("worker.torch_without_card", maker="AMD", version=torch.__version__)
    if message and (has_nvidia_card or has_amd_card):
        return Notice("worker.card_unusable", error=message)
    return None


def _ask_torch() -> str | None:
    """Give what torch says when it is to use a card; None where it has one.

    Its warning at the first question comes only once, so CUDA is started, which says it each time.
    """
    if torch.cuda.is_available() or torch.xpu.is_available() or torch.backends.mps.is_available():
        return None
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except Exception as error:  # of several classes, by the build
        return " ".join(str(error).split())
    return ""


def _exists(place: str) -> bool:
    try:
        return Path(place).exists()
    except OSError:
        return False
