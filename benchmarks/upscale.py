"""Measure the upscalers: speed, what bfloat16 and tiles cost in quality, and batches.

Run from the repository's root, on quiet cores:

    python -m benchmarks.upscale [speed|tiles|batches] [--image PHOTO] [--side N] [--compile] …

Every figure is the least of several interleaved runs, so that a busy machine disturbs all
competitors alike; on one thread it is processor time, which other programs do not lengthen.
`ncnn` and `realesrgan` (with 8-bit pictures) are competitors where they are installed; the latter
belongs into an environment of its own: `pip install --no-deps realesrgan basicsr`, and OpenCV.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
import types
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from torchvision.transforms.functional import rgb_to_grayscale

from inference.upscaling.catalogue import WheelFile, upscaler_entry
from inference.upscaling.tiling.autotune_cache import AutotuneCache
from inference.upscaling.tiling.precision_probe import Precision, psnr
from inference.upscaling.tiling.stitcher import TileCompositor
from inference.upscaling.tiling.tile_config import TileConfig
from inference.upscaling.tiling.tiles import cut_tile, plan_tiles
from inference.upscaling.tiling.tuner import TileAutotuner
from inference.upscaling.upscaler import Upscaler, load_upscaler
from inference.upscaling.weights import prepare_weights
from inference.worker.__main__ import keep_freed_memory

PHOTO = Path(__file__).parent.parent / "bot" / "samples" / "chelsea.jpg"
MODELS = "realesr-animevideov3,realesrgan-x4plus-anime,realesrgan-x4plus,realcugan-x4"
SIDE = 256  # pixels of the timed picture
MEMBERS_SIDE = 128  # pixels of each of several members' pictures
TILED_SIDE = 256  # pixels of the picture that is cut into tiles
TILED_TILE = 64  # pixels that each of its tiles adds
MEMBERS = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", nargs="?", choices=("speed", "tiles", "batches"))
    parser.add_argument("--image", type=Path, default=PHOTO, help="a photograph")
    parser.add_argument("--cache", type=Path, default=Path("data/weights"))
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--side", type=int, default=SIDE, help="pixels of the timed picture")
    parser.add_argument("--compile", action="store_true", help="a compiled network competes, too")
    options = parser.parse_args()
    keep_freed_memory()  # as workers do
    keys = options.models.split(",")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    if options.table in (None, "speed"):
        speed_table(keys, options)
    if options.table in (None, "tiles"):
        tile_table(keys, options.image, options.cache)
    if options.table in (None, "batches"):
        batch_table(keys, options.image, options.cache, options.runs)


def photograph(path: Path, side: int) -> np.ndarray:
    """Cut the middle of a photograph, enlarged where it is too small: [side, side, 3] uint8."""
    image = Image.open(path).convert("RGB")
    least = min(image.size)
    if least < side:
        factor = side / least
        image = image.resize(
            (round(image.width * factor), round(image.height * factor)),
            Image.Resampling.BICUBIC,
        )
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return np.asarray(image.crop((left, top, left + side, top + side)))


def as_batch(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255)


def loaded(
    key: str, cache: Path, precision: Precision = "float32", *, compiles: bool = False
) -> Upscaler:
    weights = prepare_weights(upscaler_entry(key), cache)
    return load_upscaler(weights, "cpu", precision, compiles=compiles)


def _enlarge_by(upscaler: Upscaler, batch: Tensor, size: int) -> list[Tensor]:
    return [upscaler.enlarge_tiles(some) for some in torch.split(batch, size)]


def least_times(competitors: Mapping[str, Callable[[], object]], runs: int) -> dict[str, float]:
    """Time each competitor in turn, a warm-up first, and keep the least seconds of each."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    best = dict.fromkeys(competitors, float("inf"))
    for run in range(runs + 1):
        for name, work in competitors.items():
            begin = clock()
            work()
            if run:
                best[name] = min(best[name], clock() - begin)
    return best


def speed_table(keys: list[str], options: argparse.Namespace) -> None:
    print(f"Speed, {options.side}² in; ratios to float32 in torch's default layout, and to the")
    print("realesrgan package; PSNR to float32\n")
    print("| model | variant | s | to float32 | to realesrgan | PSNR dB |")
    print("|---|---|---|---|---|---|")
    batch, cache = as_batch(photograph(options.image, options.side)), options.cache
    for key in keys:
        plain = loaded(key, cache)
        plain.descriptor.model.to(memory_format=torch.contiguous_format)
        single, half = loaded(key, cache), loaded(key, cache, "bfloat16")
        competitors: dict[str, Callable[[], Tensor]] = {
            "float32": partial(plain.descriptor, batch),
            "float32 channels_last": partial(single.enlarge_tiles, batch),
            "bfloat16 channels_last": partial(half.enlarge_tiles, batch),
        }
        if options.compile:
            fast = loaded(key, cache, "bfloat16", compiles=True)
            fast.compile_for(tuple(batch.shape))
            competitors["bfloat16 compiled"] = partial(fast.enlarge_tiles, batch)
        oracle = ncnn_network(key)
        if oracle is not None:
            competitors["ncnn float32"] = partial(oracle, batch)
        package, reason = realesrgan_network(key, cache)
        if package is not None:
            competitors["realesrgan float32"] = partial(package, batch)
        else:
            print(f"| {key} | realesrgan: left out, {reason} | | | | |")
        times = least_times(competitors, options.runs)
        reference = competitors["float32"]()
        for name, seconds in times.items():
            quality = psnr(competitors[name](), reference)
            package_time = times.get("realesrgan float32", float("nan"))
            print(f"| {key} | {name} | {seconds:.3f} | {times['float32'] / seconds:.2f} | ", end="")
            print(f"{package_time / seconds:.2f} | {quality:.1f} |", flush=True)
        chosen = loaded(key, cache, "auto").autocast or torch.float32
        print(f"| {key} | chosen by the probe: {chosen} | | | | |")


def ncnn_network(key: str) -> Callable[[Tensor], Tensor] | None:
    """Open the same weights in ncnn; None without the package or where the graph is not whole."""
    entry = upscaler_entry(key)
    if not isinstance(entry.source, WheelFile) or entry.architecture == "RealCUGAN":
        return None
    try:
        import ncnn
    except ImportError:
        return None
    stem = Path(importlib.import_module(entry.source.package).__path__[0]) / entry.source.stem
    net = ncnn.Net()
    net.opt.use_vulkan_compute = False
    net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
    net.opt.num_threads = torch.get_num_threads()
    net.load_param(f"{stem}.param")
    net.load_model(f"{stem}.bin")

    def run(batch: Tensor) -> Tensor:
        array = np.ascontiguousarray(batch[0].numpy())  # ncnn.Mat keeps a bare pointer to it
        extractor = net.create_extractor()
        extractor.input(net.input_names()[0], ncnn.Mat(array))
        _, found = extractor.extract(net.output_names()[0])
        return torch.from_numpy(np.array(found).copy())[None].clamp(0, 1)

    return run


def realesrgan_network(key: str, cache: Path) -> tuple[Callable[[Tensor], Tensor] | None, str]:
    """Open the same weights in the realesrgan package's RealESRGANer, 8 bits in and out.

    It imports a module that torchvision removed in 0.17: one function of it is put in its place.
    Without the package, or for another architecture, gives the reason instead.
    """
    architecture = upscaler_entry(key).architecture
    if architecture not in ("ESRGAN", "Compact"):
        return None, f"it has no {architecture}"
    shim = types.ModuleType("torchvision.transforms.functional_tensor")
    vars(shim)["rgb_to_grayscale"] = rgb_to_grayscale
    sys.modules.setdefault(shim.__name__, shim)
    try:
        from basicsr.archs.rrdbnet_arch import RRDBNet
        from realesrgan import RealESRGANer
        from realesrgan.archs.srvgg_arch import SRVGGNetCompact
    except ImportError as error:
        return None, f"{error.name} is not installed"
    state = load_file(prepare_weights(upscaler_entry(key), cache))
    if architecture == "Compact":
        network = SRVGGNetCompact(num_conv=16, upscale=4, act_type="prelu")
    else:
        blocks = len({name.split(".")[1] for name in state if name.startswith("body.")})
        network = RRDBNet(num_in_ch=3, num_out_ch=3, num_block=blocks)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pth"
        torch.save({"params": {name: value.float() for name, value in state.items()}}, path)
        engine = RealESRGANer(scale=4, model_path=str(path), model=network, pre_pad=0, half=False)

    def run(batch: Tensor) -> Tensor:
        pixels = (batch[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        found, _ = engine.enhance(np.ascontiguousarray(pixels[..., ::-1]))
        return as_batch(np.ascontiguousarray(found[..., ::-1]))

    return run, ""


def tile_table(keys: list[str], image: Path, cache: Path) -> None:
    print(f"\nTiles of {TILED_TILE} + overlap against untiled, {TILED_SIDE}² in, steps of 1/255\n")
    print("| model | precision | overlap | cut | greatest | off by > 1 | seam jump |")
    print("|---|---|---|---|---|---|---|")
    pixels = photograph(image, TILED_SIDE)
    for key in keys:
        for precision in ("float32", "bfloat16"):
            upscaler = loaded(key, cache, precision)
            untiled = stitched(upscaler, pixels, TILED_SIDE, upscaler.overlap, feather=False)
            for overlap in sorted({16, upscaler.overlap}):
                for feather in (False, True):
                    tiled = stitched(upscaler, pixels, TILED_TILE, overlap, feather=feather)
                    off = np.abs(tiled.astype(int) - untiled)
                    jump = seam_jump(tiled, untiled, upscaler.scale, overlap)
                    cut = "blend" if feather else "hard"
                    print(f"| {key} | {precision} | {overlap} | {cut} | {off.max()} | ", end="")
                    print(f"{(off > 1).mean():.4%} | {jump} |", flush=True)


def stitched(
    upscaler: Upscaler, pixels: np.ndarray, tile: int, overlap: int, *, feather: bool
) -> np.ndarray:
    boxes = plan_tiles(pixels.shape[1], pixels.shape[0], tile, overlap, feather=feather)
    stitcher = TileCompositor(boxes, upscaler.scale)
    for box in boxes:
        stitcher.add_tile(box, upscaler.enlarge_tiles(cut_tile(pixels, box)[None])[0])
    return stitcher.finished_image()


def seam_jump(tiled: np.ndarray, untiled: np.ndarray, scale: int, overlap: int) -> int:
    """Return the greatest step between neighbouring columns that tiling added at a cut."""
    boxes = plan_tiles(untiled.shape[1] // scale, 1, TILED_TILE, overlap, feather=False)
    error = tiled.astype(int) - untiled
    cuts = [box.across.tail[1] * scale for box in boxes[:-1]]
    return max(int(np.abs(error[:, cut] - error[:, cut - 1]).max()) for cut in cuts)


def batch_table(keys: list[str], image: Path, cache: Path, runs: int) -> None:
    print(f"\n{MEMBERS} pictures of {MEMBERS_SIDE}²: one by one, all in one call, and as many in a")
    print("call as is measured to be best\n")
    print("| model | one by one s | all s | ratio | chosen | s | ratio |")
    print("|---|---|---|---|---|---|---|")
    batch = as_batch(photograph(image, MEMBERS_SIDE)).repeat(MEMBERS, 1, 1, 1)
    for key in keys:
        upscaler = loaded(key, cache, "auto")
        count = tiling_of(upscaler).tiles_per_call(MEMBERS_SIDE, MEMBERS_SIDE)
        times = least_times(
            {
                name: partial(_enlarge_by, upscaler, batch, size)
                for name, size in (("alone", 1), ("all", MEMBERS), ("chosen", count))
            },
            max(1, runs // 2),
        )
        alone = times["alone"]
        print(f"| {key} | {alone:.2f} | {times['all']:.2f} | {alone / times['all']:.2f} | ", end="")
        print(f"{count} | {times['chosen']:.2f} | {alone / times['chosen']:.2f} |", flush=True)


def tiling_of(upscaler: Upscaler) -> TileConfig:
    """Let the tiling be measured as a worker does."""
    tuner = TileAutotuner(upscaler.device, AutotuneCache())
    while not tuner.is_tuned("it", upscaler):
        tuner.run_next_trial("it", upscaler)
    return tuner.tile_config("it")


if __name__ == "__main__":
    main()
