"""Numbers on their way to a device: nobody waits until they are there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

#: Devices that do not copy beside the host's own work, or not safely.
WAITING_DEVICES = ("cpu", "mps")


def send_numbers(values: Sequence[float], device: torch.device) -> Tensor:
    """Give numbers as float32 on a device."""
    return send_tensor(torch.tensor(values, dtype=torch.float32), device)


def send_tensor(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor of the machine's memory to a device, from pinned memory where that is CUDA's.

    What the device is asked next comes after the copy; the host goes on at once.
    """
    if device.type in WAITING_DEVICES:
        return tensor.to(device)
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
