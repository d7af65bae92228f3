"""Loading a checkpoint of real layout and size: time and memory, beside diffusers' own loaders.

`python -m benchmarks loading FOLDER [--family NAME …] [--layout NAME …] [--rounds N] [--divisor N]
[--formats WIDTH]`

Random weights are written into the folder where they are not there yet (2 GB for SD1, 7 for SDXL,
each layout). Each load is in a process of its own, turn about, in float16 on the processor, of
files that the system has in memory; diffusers is told the config, so that it asks no hub. Memory is
what the process has at its highest above what it had before: whole, with the file's own pages that
the system may take back at any time, and its own alone. The SHA-256 of a file is remembered from
its first load, so it is not part of these.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.load_formats import measure_formats
from benchmarks.table import show
from inference.diffusion.loader import CheckpointLoader
from inference.model_files.files import ModelFolder
from inference.model_files.hashes import FileHashes
from inference.model_files.pipelines.part_weights import find_main_file, list_weight_files
from tools.real_size import write_configs, write_model

LOADERS = ("easel", "diffusers")
GIGABYTE = 10**9
SAMPLE_SECONDS = 0.005
FORMATS_HELP = "instead, count the memory of loads by format, of a transformer of this width"


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(prog="benchmarks loading", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the checkpoints lie or are to be written")
    parser.add_argument("--family", nargs="+", default=["sd1"], choices=["sd1", "sdxl"])
    parser.add_argument(
        "--layout", nargs="+", default=["file", "folder"], choices=["file", "folder", "shards"]
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--divisor", type=int, default=1, help="widths by so much narrower")
    parser.add_argument("--load", choices=LOADERS, help=argparse.SUPPRESS)
    parser.add_argument("--formats", type=int, default=0, metavar="WIDTH", help=FORMATS_HELP)
    options = parser.parse_args()
    if options.formats:
        _show_formats(options.formats)
        return
    if options.load:
        print(json.dumps(measure_load(options.load, options.folder, options.family[0])))
        return
    rows = []
    write_configs(options.folder / "configs", options.divisor)
    for family in options.family:
        config_folder = _prepare(options.folder, family, "folder", options.divisor)
        for layout in options.layout:
            path = _prepare(options.folder, family, layout, options.divisor)
            rows += _compare(path, family, config_folder, options.rounds)
    head = ("checkpoint", "loaded by", "weights", "seconds", "most memory", "of its own")
    show("Loading a checkpoint, float16, on the processor", head, rows)


def _show_formats(width: int) -> None:
    counts = measure_formats(width)
    rows = [
        (
            case,
            f"{count.weights / 10**6:.0f} MB",
            f"{count.own / 10**6:.0f} MB",
            f"{count.ratio:.2f}",
        )
        for case, count in counts.items()
    ]
    head = ("file → memory", "weights", "most memory of its own", "of the weights")
    show("Loading a flow transformer by the format of its file", head, rows)


def _prepare(folder: Path, family: str, layout: str, divisor: int) -> Path:
    name = f"{family}.safetensors" if layout == "file" else f"{family}-{layout}"
    path = folder / name
    if not path.exists():
        write_model(folder, family, layout, divisor)
    FileHashes(folder / "hashes.json").short_hash(find_main_file(path))
    return path


def _compare(path: Path, family: str, config_folder: Path, rounds: int) -> list[tuple[object, ...]]:
    found: dict[str, list[dict[str, float]]] = {loader: [] for loader in LOADERS}
    for _ in range(rounds):
        for loader in LOADERS:
            command = [sys.executable, "-m", "benchmarks", "loading", str(path)]
            command += ["--load", loader, "--family", config_folder.name.removesuffix("-folder")]
            environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
            answer = subprocess.run(
                command, check=True, capture_output=True, text=True, env=environment
            )
            found[loader].append(json.loads(answer.stdout.splitlines()[-1]))
    weights = sum(file.stat().st_size for file in list_weight_files(path)) / GIGABYTE
    return [
        (
            path.name,
            loader,
            f"{weights:.2f} GB",
            f"{statistics.median(each['seconds'] for each in loads):.2f}",
            f"{statistics.median(each['peak'] for each in loads) / GIGABYTE:.2f} GB",
            f"{statistics.median(each['own'] for each in loads) / GIGABYTE:.2f} GB",
        )
        for loader, loads in found.items()
    ]


def measure_load(loader: str, path: Path, family: str) -> dict[str, float]:
    """Load once in this process; give the seconds, and the memory that came on top in bytes."""
    load = _prepare_easel(path) if loader == "easel" else _prepare_diffusers(path, family)
    own_before, whole_before = _resident_bytes()
    own_peak = own_before
    ended = threading.Event()

    def watch_memory() -> None:
        nonlocal own_peak
        while not ended.wait(SAMPLE_SECONDS):
            own_peak = max(own_peak, _resident_bytes()[0])

    watcher = threading.Thread(target=watch_memory, daemon=True)
    watcher.start()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    began = time.monotonic()
    model = load()
    seconds = time.monotonic() - began
    ended.set()
    watcher.join()
    del model
    peak = _status_bytes("VmHWM") - whole_before
    return {"seconds": seconds, "peak": peak, "own": own_peak - own_before}


def _prepare_easel(path: Path) -> Callable[[], object]:
    loader = CheckpointLoader(
        folder=ModelFolder(path.parent),
        configs=path.parent / "configs",
        hashes=FileHashes(path.parent / "hashes.json"),
        device=torch.device("cpu"),
        dtype=torch.float16,
    )
    import inference.diffusion.diffusers_folder  # noqa: F401  (both are measured without imports)

    return lambda: loader.build_model(path, path.stem)


def _prepare_diffusers(path: Path, family: str) -> Callable[[], object]:
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

    kind = StableDiffusionXLPipeline if family == "sdxl" else StableDiffusionPipeline
    if path.is_dir():
        return lambda: kind.from_pretrained(path, torch_dtype=torch.float16, safety_checker=None)
    config = path.parent / f"{family}-folder"
    return lambda: kind.from_single_file(
        str(path), config=str(config), torch_dtype=torch.float16, safety_checker=None
    )


def _resident_bytes() -> tuple[int, int]:
    """Give what this process has in memory of its own, and with the pages of files."""
    return _status_bytes("RssAnon"), _status_bytes("VmRSS")


def _status_bytes(name: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)
