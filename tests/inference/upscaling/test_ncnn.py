import struct

import numpy as np
import pytest

from inference.model_files.errors import CorruptWeights, UnsupportedWeights
from inference.upscaling.ncnn import FLOAT16_FLAG, FLOAT32_FLAG, INT8_FLAG, read_graph, read_weights

VALUES = np.arange(18, dtype=np.float32) / 8
BIAS = np.array([0.5, -0.25], np.float32)
CONVOLUTION = "Convolution c0 1 1 data out 0=2 1=3 4=1 5=1 6=18 -23310=1,2.000000e-01"


def graph(*lines: str) -> str:
    return "\n".join(["7767517", f"{len(lines)} 9", *lines]) + "\n"


def flagged(flag: int, block: bytes) -> bytes:
    return struct.pack("<I", flag) + block + b"\0" * (-len(block) % 4)


def table_block() -> bytes:
    table = np.zeros(256, np.float32)
    table[: len(VALUES)] = VALUES
    return table.tobytes() + np.arange(len(VALUES), dtype=np.uint8).tobytes()


@pytest.mark.parametrize(
    ("flag", "block"),
    [
        (FLOAT16_FLAG, VALUES.astype(np.float16).tobytes()),
        (FLOAT32_FLAG, VALUES.tobytes()),
        (0, VALUES.tobytes()),
        (0x00000001, table_block()),
    ],
    ids=["float16", "float32", "raw", "table"],
)
def test_reads_every_number_format(flag: int, block: bytes) -> None:
    data = flagged(flag, block) + BIAS.tobytes()

    [layer] = read_weights(read_graph(graph(CONVOLUTION)), data)

    assert VALUES.reshape(2, 1, 3, 3).tolist() == layer.weight.tolist()
    assert layer.bias is not None
    assert BIAS.tolist() == layer.bias.tolist()


def test_pads_float16_to_four_bytes() -> None:
    odd = "Convolution c0 1 1 data out 0=1 1=1 5=1 6=3"
    data = flagged(FLOAT16_FLAG, np.ones(3, np.float16).tobytes()) + BIAS[:1].tobytes()

    [layer] = read_weights(read_graph(graph(odd)), data)

    assert layer.weight.shape == (1, 3, 1, 1)
    assert layer.bias is not None
    assert layer.bias.tolist() == [0.5]


def test_turns_a_deconvolution_to_inputs_first() -> None:
    line = "Deconvolution d0 1 1 data out 0=2 1=3 6=18"

    [layer] = read_weights(read_graph(graph(line)), flagged(0, VALUES.tobytes()))

    assert layer.weight.shape == (1, 2, 3, 3)
    assert VALUES[9:].reshape(3, 3).tolist() == layer.weight[0, 1].tolist()
    assert layer.bias is None


def test_reads_kernels_that_are_higher_than_wide() -> None:
    line = "Convolution c0 1 1 data out 0=2 1=1 11=3 6=18"

    [layer] = read_weights(read_graph(graph(line)), flagged(0, VALUES.tobytes()))

    assert layer.weight.shape == (2, 3, 3, 1)


def test_turns_an_inner_product_into_a_convolution() -> None:
    line = "InnerProduct i0 1 1 data out 0=2 1=1 2=18"
    data = flagged(0, VALUES.tobytes()) + BIAS.tobytes()

    [layer] = read_weights(read_graph(graph(line)), data)

    assert layer.weight.shape == (2, 9, 1, 1)
    assert layer.bias is not None


def test_deals_weights_in_the_order_of_the_layers() -> None:
    lines = ["Input data 0 1 data", CONVOLUTION, "Split s 1 2 out a b", "PReLU p 1 1 a c 0=2"]
    data = flagged(0, VALUES.tobytes()) + BIAS.tobytes() + np.array([3, 4], "<f4").tobytes()

    weights = read_weights(read_graph(graph(*lines)), data)

    assert [layer.layer.layer_type for layer in weights] == ["Convolution", "PReLU"]
    assert weights[1].weight.tolist() == [3.0, 4.0]


def test_refuses_8_bit_weights() -> None:
    with pytest.raises(UnsupportedWeights, match="8-bit"):
        read_weights(read_graph(graph(CONVOLUTION)), flagged(INT8_FLAG, bytes(18)))


@pytest.mark.parametrize("cut", [0, 3, 4, 40, 76, 83])
def test_notices_a_truncated_file(cut: int) -> None:
    whole = flagged(0, VALUES.tobytes()) + BIAS.tobytes()

    with pytest.raises(CorruptWeights, match="ends inside layer c0"):
        read_weights(read_graph(graph(CONVOLUTION)), whole[:cut])


def test_notices_bytes_left_over() -> None:
    data = flagged(0, VALUES.tobytes()) + BIAS.tobytes() + b"\0\0\0\0"

    with pytest.raises(CorruptWeights, match="4 bytes are left over"):
        read_weights(read_graph(graph(CONVOLUTION)), data)


def test_refuses_a_layer_type_it_does_not_read() -> None:
    with pytest.raises(UnsupportedWeights, match="ConvolutionDepthWise"):
        read_weights(read_graph(graph("ConvolutionDepthWise c 1 1 a b 0=2 1=3 6=18")), b"")


def test_notices_weights_that_fill_no_kernel() -> None:
    with pytest.raises(CorruptWeights, match="17 weights"):
        read_weights(read_graph(graph("Convolution c 1 1 a b 0=2 1=3 6=17")), bytes(99))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no ncnn graph"),
        ("7767516\n1 1\nInput data 0 1 data\n", "no ncnn graph"),
        ("7767517\n", "cannot be read"),
        ("7767517\n2 1\nInput data 0 1 data\n", "promises 2 layers and holds 1"),
        ("7767517\n1 1\nInput data x 1 data\n", "cannot be read"),
    ],
)
def test_refuses_a_broken_graph(text: str, words: str) -> None:
    with pytest.raises(CorruptWeights, match=words):
        read_graph(text)
