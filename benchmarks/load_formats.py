"""The most memory that a load takes by the format of the file, beside the bytes of the weights.

A Z-Image transformer of random weights, some hundred megabytes large, is written in each format.
Counted is the process's own memory, sampled, above what it had before; the file's pages, which the
system may take back at any time, are told apart from it. They are the weights themselves where
nothing has to be converted, so the larger of both is beside what was loaded.
"""

from __future__ import annotations

import ctypes
import gc
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from inference.api.catalogue.memory_plan import MemoryPlan
from inference.diffusion.loader import CheckpointLoader
from inference.model_files.files import ModelFolder
from inference.model_files.hashes import FileHashes
from inference.runtime.memory import weight_bytes

SAMPLE_SECONDS = 0.002
#: glibc's number of the setting above which memory comes from the system itself, and our value.
M_MMAP_THRESHOLD, MMAP_BYTES = -3, 2**16
NETWORK = Path("transformer")
SHARD_MEGABYTES = 32
#: Of each case the file's format, what the network computes in, and what its layers are held in.
CASES = {
    "fp32 → fp32": ("fp32", torch.float32, "full"),
    "fp16 → fp32": ("fp16", torch.float32, "full"),
    "bf16 → bf16": ("bf16", torch.bfloat16, "full"),
    "bf16 → fp8": ("bf16", torch.bfloat16, "fp8"),
    "fp8 → fp8": ("fp8", torch.bfloat16, "full"),
    "GGUF Q8_0 → Q8_0": ("gguf", torch.bfloat16, "full"),
    "fp16, shards → fp32": ("shards", torch.float32, "full"),
}
FILE_DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "shards": torch.float16}


@dataclass(frozen=True)
class LoadCount:
    """What one load took, in bytes."""

    weights: int
    own: int

    @property
    def ratio(self) -> float:
        """Own memory at its most, by the bytes of the weights."""
        return self.own / self.weights


def measure_formats(width: int) -> dict[str, LoadCount]:
    """Load a transformer of a width from each format in turn; say what each load took."""
    # What is freed goes back to the system at once, so that it is not used again unseen.
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)
    counts = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_formats(folder, width)
        for case, (layout, dtype, held) in CASES.items():
            counts[case] = measure_case(folder, layout, dtype, held)
    return counts


def measure_case(folder: Path, layout: str, dtype: torch.dtype, held: Any) -> LoadCount:
    """Load one checkpoint in this process."""
    loader = CheckpointLoader(
        ModelFolder(folder), folder, FileHashes(folder / "hashes.json"), torch.device("cpu"), dtype
    )
    plan = MemoryPlan(weight_format=held)
    loader.build_model(folder / layout, layout, plan)  # imports, and the file's hash
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with watch_own_memory() as peak:
        model = loader.build_model(folder / layout, layout, plan)
    parts = (model.network, model.vae, *model.text_encoders.models)
    return LoadCount(weight_bytes(*parts), peak())


@contextmanager
def watch_own_memory() -> Iterator[Callable[[], int]]:
    """Watch the most that this process has of its own above what it had."""
    before = most = _own_bytes()
    ended = threading.Event()

    def watch() -> None:
        nonlocal most
        while not ended.wait(SAMPLE_SECONDS):
            most = max(most, _own_bytes())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: max(most, _own_bytes()) - before
    finally:
        ended.set()
        watcher.join()


def _own_bytes() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise LookupError("RssAnon")


def write_formats(folder: Path, width: int) -> None:
    """Write one checkpoint in every format."""
    import gguf
    from safetensors.torch import load_file, save_file

    from inference.diffusion.quantized.fp8 import to_fp8
    from inference.model_files.pipelines.part_sizes import is_large_weight
    from tests.inference.flow.flow_checkpoints import save_z_image
    from tests.inference.flow.gguf_files import NETWORK_FILE, write_gguf_twin

    source = folder / "fp32"
    save_z_image(source, dim=width, n_layers=4)
    for layout, dtype in FILE_DTYPES.items():
        shutil.copytree(source, folder / layout)
        weights = {k: v.to(dtype) for k, v in load_file(source / NETWORK_FILE).items()}
        if layout == "shards":
            _write_shards(folder / layout, weights)
        else:
            save_file(weights, folder / layout / NETWORK_FILE)
    shutil.copytree(source, folder / "fp8")
    weights = load_file(source / NETWORK_FILE)
    small = {
        k: to_fp8(v) if is_large_weight(k, v.shape) else v.bfloat16() for k, v in weights.items()
    }
    save_file(small, folder / "fp8" / NETWORK_FILE)
    quantised, plain = write_gguf_twin(source, folder, gguf.GGMLQuantizationType.Q8_0)
    quantised.rename(folder / "gguf")
    shutil.rmtree(plain)


def _write_shards(folder: Path, weights: dict[str, torch.Tensor]) -> None:
    from huggingface_hub import save_torch_state_dict

    for file in (folder / NETWORK).glob("*.safetensors"):
        file.unlink()
    save_torch_state_dict(
        weights,
        folder / NETWORK,
        filename_pattern="diffusion_pytorch_model{suffix}.safetensors",
        max_shard_size=f"{SHARD_MEGABYTES}MB",
    )
