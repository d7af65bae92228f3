from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from spandrel.architectures.Compact import Compact

from inference.model_files.errors import (
    BrokenOutput,
    CorruptWeights,
    MissingWeights,
    UnsupportedWeights,
)
from inference.upscaling.tiling import precision_probe
from inference.upscaling.tiling.stitcher import TileCompositor, to_bytes
from inference.upscaling.tiling.tiles import TileWork, cut_tile, plan_tiles
from inference.upscaling.upscaler import Upscaler, load_upscaler

CONVOLUTIONS = 4  # in the body; two more around it


def compact_state(channels: int = 3) -> dict[str, torch.Tensor]:
    """Draw a small Compact network of few, short binary fractions.

    Its sums are exact in float32 in whatever order they are taken, so that comparisons bit for bit
    hold on every machine and with every kernel.
    """
    network = Compact(
        num_in_ch=channels, num_out_ch=channels, num_feat=8, num_conv=CONVOLUTIONS, upscale=2
    )
    generator = torch.Generator().manual_seed(3)
    state = network.state_dict()
    for name, value in state.items():
        if value.ndim == 4:
            few = torch.rand(value.shape, generator=generator) * value[0].numel() < 5
            signs = torch.randint(0, 2, value.shape, generator=generator) - 0.5
            state[name] = few * signs
        else:
            state[name] = torch.full_like(value, 0.5 if name.endswith("weight") else 0.125)
    return state


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "compact.safetensors"
    save_file(compact_state(), path)
    return path


@pytest.fixture
def upscaler(weights: Path) -> Upscaler:
    return load_upscaler(weights, "cpu", "float32")


def noise(width: int, height: int) -> np.ndarray:
    """Draw [H, W, 3] uint8 noise of black and white, whose values in 0..1 are exact."""
    return np.random.default_rng(5).integers(0, 2, (height, width, 3), np.uint8) * np.uint8(255)


def tiled(upscaler: Upscaler, image: np.ndarray, tile: int) -> np.ndarray:
    height, width = image.shape[:2]
    boxes = plan_tiles(width, height, tile, upscaler.overlap, feather=not upscaler.exact)
    stitcher = TileCompositor(boxes, upscaler.scale)
    for box in boxes:
        stitcher.add_tile(box, upscaler.enlarge_tiles(cut_tile(image, box)[None])[0])
    return stitcher.finished_image()


def test_knows_scale_and_receptive_radius_of_a_compact_network(upscaler: Upscaler) -> None:
    assert (upscaler.scale, upscaler.overlap, upscaler.exact) == (2, CONVOLUTIONS + 2, True)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("tile", [20, 52])
def test_tiles_equal_the_untiled_picture_bit_for_bit(
    weights: Path, precision: str, tile: int
) -> None:
    upscaler = load_upscaler(weights, "cpu", precision)
    image = noise(150, 97)
    whole = torch.from_numpy(image.transpose(2, 0, 1)[None].astype(np.float32) / 255)

    untiled = to_bytes(upscaler.enlarge_tiles(whole)[0])

    np.testing.assert_array_equal(tiled(upscaler, image, tile), untiled)


def test_one_pixel_less_overlap_is_not_exact(upscaler: Upscaler) -> None:
    image = noise(150, 97)
    narrow = Upscaler(
        upscaler.descriptor, upscaler.device, None, upscaler.scale, upscaler.overlap - 2, True
    )

    assert (tiled(narrow, image, 24) != tiled(upscaler, image, 24)).any()


def test_a_tile_does_not_depend_on_its_batch(upscaler: Upscaler) -> None:
    batch = torch.rand(3, 3, 32, 48, generator=torch.Generator().manual_seed(1))

    together = upscaler.enlarge_tiles(batch)

    alone = torch.cat([upscaler.enlarge_tiles(tile[None]) for tile in batch])
    assert (together - alone).abs().max() <= 1e-5
    assert together.shape == (3, 3, 64, 96)


def test_leaves_its_input_alone_and_stays_in_range(upscaler: Upscaler) -> None:
    batch = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    before = batch.clone()

    output = upscaler.enlarge_tiles(batch)

    assert torch.equal(batch, before)
    assert output.min() >= 0
    assert output.max() <= 1
    assert output.dtype == torch.float32


@pytest.mark.parametrize(
    "batch", [torch.zeros(3, 8, 8), torch.zeros(1, 4, 8, 8), torch.zeros(1, 3, 8, 8).half()]
)
def test_refuses_another_shape(upscaler: Upscaler, batch: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"Expected \[B, 3, h, w\] float32, got"):
        upscaler.enlarge_tiles(batch)


def test_the_probe_decides(weights: Path) -> None:
    assert load_upscaler(weights, "cpu").autocast in (None, torch.bfloat16)
    assert load_upscaler(weights, "cpu", "float32").autocast is None
    assert load_upscaler(weights, "cpu", "bfloat16").autocast is torch.bfloat16


@pytest.mark.parametrize(
    ("device", "bfloat16", "float16", "chosen"),
    [
        ("cuda", 0.5, 0.6, torch.bfloat16),
        ("cuda", 1.5, 0.4, torch.float16),
        ("cuda", 0.9, 0.9, None),
        ("cpu", 1.5, 0.1, None),
    ],
)
def test_the_fastest_format_that_pays_is_taken(
    upscaler: Upscaler,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    bfloat16: float,
    float16: float,
    chosen: torch.dtype | None,
) -> None:
    times = {None: 1.0, torch.bfloat16: bfloat16, torch.float16: float16}
    monkeypatch.setattr(
        precision_probe, "time_forward", lambda _, tile, dtype: (torch.zeros(1), times[dtype])
    )
    monkeypatch.setattr(precision_probe, "probe_tile", lambda device: torch.zeros(1))

    found = precision_probe.choose_precision(upscaler.descriptor, torch.device(device), "auto")

    assert found == chosen


def test_a_format_that_ruins_the_picture_is_not_taken(
    upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        precision_probe,
        "time_forward",
        lambda _, tile, dtype: (torch.full((1,), float("nan")), 0.1) if dtype else (tile, 1.0),
    )

    assert (
        precision_probe.choose_precision(upscaler.descriptor, torch.device("cpu"), "auto") is None
    )


def test_blends_two_networks_of_one_kind(tmp_path: Path) -> None:
    paths = [tmp_path / "strong.safetensors", tmp_path / "weak.safetensors"]
    for path, level in zip(paths, (0.5, -0.25), strict=True):
        state = compact_state()
        state["body.10.bias"] = torch.full((12,), level)
        save_file(state, path)

    blended = load_upscaler(paths[0], "cpu", "float32", partner=paths[1], share=0.25)

    found = blended.descriptor.model.state_dict()
    assert set(found["body.10.bias"].tolist()) == {0.75 * 0.5 - 0.25 * 0.25}
    assert torch.equal(found["body.0.weight"], compact_state()["body.0.weight"])


def test_refuses_to_blend_networks_of_two_kinds(weights: Path, tmp_path: Path) -> None:
    other = tmp_path / "grey.safetensors"
    save_file(compact_state(channels=1), other)

    with pytest.raises(UnsupportedWeights, match="same network"):
        load_upscaler(weights, "cpu", partner=other, share=0.5)
    with pytest.raises(ValueError, match="from 0 to 1"):
        load_upscaler(weights, "cpu", partner=weights, share=1.5)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt"])
def test_refuses_pickles_and_says_how_to_convert(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(UnsupportedWeights, match="models import net"):
        load_upscaler(tmp_path / f"net{suffix}", "cpu")


def test_refuses_other_endings(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedWeights, match=r"no \.safetensors"):
        load_upscaler(tmp_path / "net.onnx", "cpu")


def test_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=r"net\.safetensors"):
        load_upscaler(tmp_path / "net.safetensors", "cpu")


def test_refuses_an_unknown_architecture(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_file({"mystery.weight": torch.zeros(3)}, path)

    with pytest.raises(UnsupportedWeights, match="no architecture that Easel knows"):
        load_upscaler(path, "cpu")


def test_refuses_networks_that_do_not_map_rgb_to_rgb(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_file(compact_state(channels=1), path)

    with pytest.raises(UnsupportedWeights, match="maps 1 channels to 1"):
        load_upscaler(path, "cpu")


def test_notices_arrays_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    state = compact_state()
    state["body.2.weight"] = torch.zeros(8, 8, 5, 5)
    save_file(state, path)

    with pytest.raises(CorruptWeights, match="do not fit"):
        load_upscaler(path, "cpu")


def test_notices_a_truncated_file(weights: Path) -> None:
    weights.write_bytes(weights.read_bytes()[:-9])

    with pytest.raises(CorruptWeights, match="damaged"):
        load_upscaler(weights, "cpu")


def test_reports_output_that_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    state = compact_state()
    state["body.0.bias"].fill_(float("nan"))
    save_file(state, path)

    with pytest.raises(BrokenOutput):
        load_upscaler(path, "cpu", "bfloat16").enlarge_tiles(torch.zeros(1, 3, 8, 8))


def test_a_job_is_given_bytes_which_are_those_of_the_numbers(upscaler: Upscaler) -> None:
    tiles = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(1))

    found = upscaler.process_tiles([TileWork("net", tile) for tile in tiles])

    assert {each.dtype for each in found} == {torch.uint8}
    for each, exact in zip(found, upscaler.enlarge_tiles(tiles), strict=True):
        np.testing.assert_array_equal(to_bytes(each), to_bytes(exact))
