"""Read networks stored in ncnn's format: a text graph (.param) and its weights (.bin).

The graph opens with a magic number and two counts; then one layer a line:
`type name inputs outputs input-names… output-names… key=value…`, where a key of −23300 or less
holds an array. The weights follow in the order of the layers, without names, each block padded to
four bytes. Source: ncnn's "param and model file structure" and "operation param weight table".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from inference.model_files.errors import CorruptWeights, UnsupportedWeights

Array = npt.NDArray[Any]

NCNN_MAGIC = 7767517
FLOAT16_FLAG = 0x01306B47
FLOAT32_FLAG = 0x0002C056
INT8_FLAG = 0x000D4B38
TABLE_LENGTH = 256
ARRAY_KEY = -23300

WEIGHTLESS_LAYER_TYPES = frozenset(
    {
        "BinaryOp",
        "Concat",
        "Crop",
        "Eltwise",
        "Input",
        "Interp",
        "PixelShuffle",
        "Pooling",
        "Split",
    }
)


@dataclass(frozen=True)
class NcnnLayer:
    """One line of the graph: what the layer is and its whole-number options by key."""

    layer_type: str
    name: str
    options: dict[int, int]


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """The arrays of one layer, laid out as PyTorch lays them out.

    `weight` is [out, in, kh, kw] for a convolution and for an inner product (kh = kw = 1),
    [in, out, kh, kw] for a deconvolution, [channels] for a PReLU; float16 or float32 as stored.
    `bias` is [out] float32, or None.
    """

    layer: NcnnLayer
    weight: Array
    bias: Array | None


class WeightStream:
    """Hands out the weight file block by block and notices its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take_array(self, count: int, dtype: str, owner: str) -> Array:
        """Return the next `count` numbers as a read-only [count] array; then skip to four bytes.

        Raises:
            CorruptWeights: the file ends before they do.
        """
        size = count * np.dtype(dtype).itemsize
        if self._position + size > len(self._data):
            raise CorruptWeights(
                "weights.layer_ends", layer=owner, size=size, left=len(self._data) - self._position
            )
        block = np.frombuffer(self._data, dtype, count, self._position)
        self._position += size + -size % 4
        return block

    def bytes_left(self) -> int:
        """Count the bytes that nobody has taken."""
        return max(0, len(self._data) - self._position)


def read_graph(text: str) -> tuple[NcnnLayer, ...]:
    """Parse a .param file into its layers, in order.

    Raises:
        CorruptWeights: it is no such file, or its layer count is off.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or lines[0].strip() != str(NCNN_MAGIC):
        raise CorruptWeights("weights.no_graph", magic=NCNN_MAGIC)
    try:
        layer_count = int(lines[1].split()[0])
        layers = tuple(_parse_layer(line) for line in lines[2:])
    except (IndexError, ValueError) as error:
        raise CorruptWeights("weights.bad_graph", error=error) from error
    if layer_count != len(layers):
        raise CorruptWeights("weights.graph_count", count=layer_count, other=len(layers))
    return layers


def read_weights(layers: tuple[NcnnLayer, ...], data: bytes) -> list[LayerWeights]:
    """Deal a .bin file out to the layers that own weights, in the graph's order.

    Raises:
        UnsupportedWeights: a layer type or a number format that is not read here.
        CorruptWeights: the file is shorter or longer than the graph wants.
    """
    blocks = WeightStream(data)
    weights = list(_read_layer_weights(layers, blocks))
    if blocks.bytes_left():
        raise CorruptWeights("weights.graph_rest", count=blocks.bytes_left())
    return weights


def _read_layer_weights(
    layers: tuple[NcnnLayer, ...], blocks: WeightStream
) -> Iterator[LayerWeights]:
    for layer in layers:
        if layer.layer_type in WEIGHTLESS_LAYER_TYPES:
            continue
        if layer.layer_type == "PReLU":
            slopes = blocks.take_array(layer.options[0], "<f4", layer.name)
            yield LayerWeights(layer, slopes, None)
        elif layer.layer_type in ("Convolution", "Deconvolution", "InnerProduct"):
            yield _read_matrix_layer(layer, blocks)
        else:
            raise UnsupportedWeights("weights.layer_type", type=layer.layer_type, layer=layer.name)


def _read_matrix_layer(layer: NcnnLayer, blocks: WeightStream) -> LayerWeights:
    """Take one convolution-like layer: its flagged weights, then its bias where it has one."""
    inner = layer.layer_type == "InnerProduct"
    outputs, count = layer.options[0], layer.options[2 if inner else 6]
    width = 1 if inner else layer.options[1]
    height = 1 if inner else layer.options.get(11, width)
    if count % (outputs * width * height):
        raise CorruptWeights(
            "weights.layer_shape",
            layer=layer.name,
            count=count,
            outputs=outputs,
            height=height,
            width=width,
        )
    shape = (outputs, count // (outputs * width * height), height, width)
    weight = _read_flagged_weights(count, layer.name, blocks).reshape(shape)
    if layer.layer_type == "Deconvolution":
        weight = weight.transpose(1, 0, 2, 3)
    has_bias = layer.options.get(1 if inner else 5, 0)
    bias = blocks.take_array(outputs, "<f4", layer.name) if has_bias else None
    return LayerWeights(layer, weight, bias)


def _read_flagged_weights(count: int, owner: str, blocks: WeightStream) -> Array:
    """Take `count` weights in the format that their four-byte flag names: [count] f16 or f32."""
    flag = int(blocks.take_array(1, "<u4", owner)[0])
    if flag == FLOAT16_FLAG:
        return blocks.take_array(count, "<f2", owner)
    if flag in (0, FLOAT32_FLAG):
        return blocks.take_array(count, "<f4", owner)
    if flag == INT8_FLAG:
        raise UnsupportedWeights("weights.layer_integers", layer=owner)
    table = blocks.take_array(TABLE_LENGTH, "<f4", owner)
    return table[blocks.take_array(count, "<u1", owner)]


def _parse_layer(line: str) -> NcnnLayer:
    kind, name, inputs, outputs, *fields = line.split()
    pairs = (item.split("=", 1) for item in fields[int(inputs) + int(outputs) :])
    options = {int(key): value for key, value in pairs}
    return NcnnLayer(kind, name, {k: int(v) for k, v in options.items() if _is_whole(k, v)})


def _is_whole(key: int, value: str) -> bool:
    """Tell whole numbers from arrays and real numbers, which name no weight's shape."""
    return key > ARRAY_KEY and value.lstrip("+-").isdigit()
