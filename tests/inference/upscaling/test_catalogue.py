import re

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from inference.model_files.errors import UnknownModel
from inference.upscaling.catalogue import UPSCALER_ENTRIES, DownloadUrl, WheelFile, upscaler_entry
from inference.upscaling.upscaler import load_upscaler
from inference.upscaling.weights import prepare_weights

SHA256 = re.compile("[0-9a-f]{64}")


def test_keys_are_unique_and_plain() -> None:
    keys = [entry.key for entry in UPSCALER_ENTRIES]

    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch("[a-z0-9-]+", key) for key in keys)


@pytest.mark.parametrize("entry", UPSCALER_ENTRIES, ids=lambda entry: entry.key)
def test_entries_are_whole(entry) -> None:
    assert entry.sha256 is None or SHA256.fullmatch(entry.sha256)
    assert entry.size is None or entry.size > 1_000_000
    assert (entry.scale == 1) == (entry.purpose == "restore")
    assert entry.licence in {"BSD-3-Clause", "MIT", "Apache-2.0"}
    assert entry.partner is None or upscaler_entry(entry.partner).scale == entry.scale
    if isinstance(entry.source, WheelFile):
        assert SHA256.fullmatch(entry.source.graph_sha256)
        assert None not in (entry.size, entry.sha256)
    else:
        assert isinstance(entry.source, DownloadUrl)
        assert entry.source.url.startswith("https://github.com/")


def test_an_unknown_key_lists_the_known_ones() -> None:
    with pytest.raises(UnknownModel, match=r"'realesrgan-x5'.*realesrgan-x4plus"):
        upscaler_entry("realesrgan-x5")


@pytest.mark.parametrize("key", ["realesr-animevideov3", "realcugan-x2", "realcugan-x3"])
def test_the_work_of_a_pass_is_what_is_counted(key, tmp_path):
    entry = upscaler_entry(key)
    upscaler = load_upscaler(prepare_weights(entry, tmp_path), "cpu", "float32")
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        upscaler.descriptor(torch.zeros(1, 3, 192, 192))
    counted = counter.get_total_flops() / 192 / 192 / 1e6
    assert entry.tflop == pytest.approx(counted, rel=0.1)
