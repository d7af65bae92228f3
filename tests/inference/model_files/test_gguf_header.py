"""GGUF headers: read as gguf's own writer lays them out, refused where they are damaged."""

import struct

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.model_files.errors import CorruptWeights, ModelError, UnsupportedWeights
from inference.model_files.gguf.gguf_families import check_gguf, describe_gguf
from inference.model_files.gguf.gguf_header import TENSOR_TYPES, read_gguf_header
from inference.model_files.pipelines.flow_families import FLOW_FAMILIES

Z_IMAGE, FLUX = (FLOW_FAMILIES[f"{name}Transformer2DModel"] for name in ("ZImage", "Flux"))


def write_gguf(path, tensors, architecture="lumina2", **settings):
    """Write tensors by name; values are arrays, or a pair of array and quantisation."""
    writer = gguf.GGUFWriter(path, architecture)
    for name, value in settings.items():
        writer.add_array(name, value)
    for name, value in tensors.items():
        array, kind = value if isinstance(value, tuple) else (value, None)
        if kind is not None:
            array = gguf.quants.quantize(array, kind)
        writer.add_tensor(name, array, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def file(tmp_path):
    numbers = np.arange(128, dtype=np.float32).reshape(2, 64)
    return write_gguf(
        tmp_path / "net.gguf",
        {
            "cap_embedder.0.weight": numbers[0],
            "layers.0.w": (numbers, gguf.GGMLQuantizationType.Q8_0),
            "layers.1.w": numbers.astype(np.float16),
        },
        notes=["a", "b"],
        sizes=[1, 2, 3],
    )


def test_types_have_the_sizes_that_ggml_gives_them():
    sizes = {kind.value: (kind.name, *size) for kind, size in gguf.GGML_QUANT_SIZES.items()}

    assert {number: sizes[number] for number in TENSOR_TYPES} == TENSOR_TYPES


def test_a_header_says_what_gguf_s_own_reader_says(file):
    header, reader = read_gguf_header(file), gguf.GGUFReader(file)

    assert header.architecture == "lumina2"
    assert header.settings["notes"] == ["a", "b"]
    assert header.settings["sizes"] == [1, 2, 3]
    assert {
        name: (entry.dtype, entry.begin, entry.end - entry.begin, entry.shape)
        for name, entry in header.entries.items()
    } == {
        tensor.name: (
            tensor.tensor_type.name,
            tensor.data_offset,
            tensor.n_bytes,
            tuple(int(side) for side in tensor.shape[::-1]),
        )
        for tensor in reader.tensors
    }


def test_a_file_is_known_by_its_names(file, tmp_path):
    assert describe_gguf(file) == "a GGUF file of Z-Image"
    check_gguf(file, Z_IMAGE)
    with pytest.raises(UnsupportedWeights, match="transformer of Z-Image, and lies in a folder of"):
        check_gguf(file, FLUX)
    stranger = write_gguf(tmp_path / "llm.gguf", {"blk.0.w": np.zeros(32, np.float32)}, "llama")
    with pytest.raises(UnsupportedWeights, match=r"of the architecture llama.*FLUX\.1"):
        check_gguf(stranger, FLUX)
    assert describe_gguf(stranger) == "a GGUF file of the architecture llama, not run"


def test_without_the_extra_it_is_named(file, monkeypatch):
    module = "inference.model_files.gguf.gguf_families.find_spec"
    monkeypatch.setattr(module, lambda _: None)
    with pytest.raises(UnsupportedWeights, match=r"easel-bot\[gguf\]"):
        check_gguf(file, Z_IMAGE)


def test_every_file_that_was_cut_short_is_refused(file, tmp_path):
    data, end = file.read_bytes(), max(e.end for e in read_gguf_header(file).entries.values())
    short = tmp_path / "short.gguf"
    for length in range(end):
        short.write_bytes(data[:length])
        with pytest.raises(CorruptWeights):
            read_gguf_header(short)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_change_of_a_byte_breaks_the_reader(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("changed")
    numbers = np.ones((2, 32), np.float32)
    path = write_gguf(folder / "net.gguf", {"a": numbers, "b": numbers}, notes=["x", "y"])
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        header = read_gguf_header(path)
    except ModelError:
        return
    assert all(0 <= e.begin <= e.end <= len(content) for e in header.entries.values())


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (struct.pack("<4sIQQ", b"GGUF", 1, 0, 0), "version 1"),
        (struct.pack("<4sIQQ", b"GGUF", 3, 2**60, 0), "it counts"),
        (struct.pack("<4sIQQ", b"GGUF", 3, 0, 2**60), "it counts"),
        (struct.pack("<4sIQQQ", b"GGUF", 3, 0, 1, 2**62), "a text of"),
        (struct.pack("<4sIQQQ1sIIQ", b"GGUF", 3, 0, 1, 1, b"k", 9, 4, 2**60), "longer than"),
        (struct.pack("<4sIQQQ1sIIQ", b"GGUF", 3, 0, 1, 1, b"k", 9, 8, 2**60), "ends within"),
        (struct.pack("<4sIQQQ1sI", b"GGUF", 3, 0, 1, 1, b"k", 77), "type 77"),
        (struct.pack("<4sIQQQ1sIQIQ", b"GGUF", 3, 1, 0, 1, b"w", 1, 32, 999, 0), "type 999"),
        (struct.pack("<4sIQQQ1sIQIQ", b"GGUF", 3, 1, 0, 1, b"w", 1, 33, 8, 0), "none for Q8_0"),
        (struct.pack("<4sIQQQ1sI", b"GGUF", 3, 1, 0, 1, b"w", 9), "9 dimensions"),
    ],
)
def test_what_no_file_can_say_is_refused_at_once(tmp_path, head, words):
    path = tmp_path / "net.gguf"
    path.write_bytes(head)
    with pytest.raises(ModelError, match=words):
        read_gguf_header(path)
