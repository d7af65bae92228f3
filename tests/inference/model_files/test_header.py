import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save, save_file

from inference.model_files.errors import CorruptWeights, MissingWeights, UnsupportedWeights
from inference.model_files.header import TensorEntry, read_header

TENSORS = {"a": torch.zeros(2, 3, dtype=torch.float16), "b": torch.ones(5)}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.safetensors"
    save_file(TENSORS, path, {"modelspec.title": "net"})
    return path


def test_names_shapes_and_metadata_are_read(file):
    header = read_header(file)

    assert set(header.entries) == {"a", "b"}
    assert (header.entries["a"].dtype, header.entries["a"].shape) == ("F16", (2, 3))
    assert header.metadata == {"modelspec.title": "net"}


@given(keep=st.integers(0, len(save(TENSORS)) - 1))
def test_a_file_cut_anywhere_is_refused(tmp_path_factory, keep):
    path = tmp_path_factory.getbasetemp() / "cut.safetensors"
    path.write_bytes(save(TENSORS)[:keep])

    with pytest.raises(CorruptWeights):
        read_header(path)


def test_a_cut_file_says_how_much_is_missing(file):
    whole = file.read_bytes()
    file.write_bytes(whole[:-7])

    with pytest.raises(CorruptWeights, match=f"{len(whole) - 7} bytes.*{len(whole)}.*again"):
        read_header(file)


def test_bytes_behind_the_tensors_are_refused(file):
    file.write_bytes(file.read_bytes() + b"more")

    with pytest.raises(CorruptWeights, match="4 bytes too many"):
        read_header(file)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"PK\x03\x04" + bytes(40), "pickle under another name.*models import"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "pointer"),
        (b"GGUF" + bytes(30), "GGUF"),
    ],
)
def test_other_files_are_named(tmp_path, start, words):
    path = tmp_path / "net.safetensors"
    path.write_bytes(start)

    with pytest.raises(UnsupportedWeights, match=words):
        read_header(path)


@pytest.mark.parametrize("suffix", [".ckpt", ".pt", ".PTH"])
def test_a_pickle_is_refused_by_its_name(tmp_path, suffix):
    path = tmp_path / f"net{suffix}"
    path.write_bytes(save(TENSORS))

    with pytest.raises(UnsupportedWeights, match=r"run code.*models import"):
        read_header(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingWeights, match=r"no file net\.safetensors"):
        read_header(tmp_path / "net.safetensors")


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [5], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [4], "data_offsets": [4, 20]},
        {"dtype": "F32", "shape": [4]},
        {"dtype": "F32", "shape": "x", "data_offsets": [0, 16]},
        7,
    ],
)
def test_a_header_at_odds_with_itself_is_refused(tmp_path, entry):
    text = json.dumps({"a": entry}).encode()
    path = tmp_path / "net.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(20))

    with pytest.raises(CorruptWeights, match="damaged header"):
        read_header(path)


def test_an_entry_knows_its_bytes(file):
    assert read_header(file).entries["b"] == TensorEntry("F32", (5,), 0, 20)
