"""How much memory there is, and how much of it weights take."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import torch

#: Share of a graphics card's memory, as far as no other program has it when a worker starts, that
#: weights may fill; the rest is for working.
DEVICE_SHARE = 0.7
#: Share of the machine's memory that weights may fill where the processor runs them.
HOST_SHARE = 0.5
#: Where the machine's memory cannot be asked.
FALLBACK_MEMORY_BYTES = 4 * 2**30


def release_memory() -> None:
    """Give back memory that nothing refers to any more; modules refer to themselves in rings."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.xpu.is_available():
        torch.xpu.empty_cache()


def weight_bytes(*modules: Any) -> int:
    """Count the bytes of modules' weights and buffers."""
    tensors = (tensor for module in modules for tensor in (*module.parameters(), *module.buffers()))
    return sum(tensor.nbytes for tensor in tensors)


def folder_bytes(folder: Path) -> int:
    """Count the bytes of a folder's weight files: about what they take once loaded."""
    kinds = (".safetensors", ".onnx")
    files = (path for path in folder.glob("*") if path.suffix in kinds and path.is_file())
    return sum(path.stat().st_size for path in files)


def count_free_bytes(device: torch.device) -> int | None:
    """Count what may still be taken of a device's memory; None where it cannot be asked."""
    if device.type != "cuda":
        return None
    free_bytes, _ = torch.cuda.mem_get_info(device)
    reserved_bytes = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return free_bytes + reserved_bytes


def count_usable_bytes(device: torch.device, workers: int = 1) -> int | None:
    """Count what weights and work may take on a device once what this process has there is gone.

    None where it cannot be asked. `workers` share the device: none counts on more than its part.
    """
    match device.type:
        case "cuda":
            free_bytes, total_bytes = torch.cuda.mem_get_info(device)
            return min(free_bytes + torch.cuda.memory_reserved(device), total_bytes // workers)
        case "xpu":
            return int(torch.xpu.get_device_properties(device).total_memory // workers)
        case "cpu":
            return host_memory() // workers
        case _:
            return None


def default_budget(device: torch.device, workers: int = 1) -> int:
    """Choose how many bytes of weights may stay, by the memory of the device that is free.

    `workers` share the device: none counts on more than its part.
    """
    match device.type:
        case "cuda":
            free_bytes, total_bytes = torch.cuda.mem_get_info(device)
            return int(min(free_bytes, total_bytes // workers) * DEVICE_SHARE)
        case "xpu":
            total_bytes = torch.xpu.get_device_properties(device).total_memory
            return int(total_bytes // workers * DEVICE_SHARE)
        case _:
            return int(host_memory() // workers * HOST_SHARE)


def host_memory() -> int:
    """Read the machine's memory in bytes, or its container's where that is less."""
    limits = [FALLBACK_MEMORY_BYTES]
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        limits = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:")]
        container = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        if container.isdigit():
            limits.append(int(container))
    except (OSError, ValueError):
        pass
    return min(limits or [FALLBACK_MEMORY_BYTES])
