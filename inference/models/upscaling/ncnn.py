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

from inference.models.errors import CorruptWeights, UnsupportedWeights

Array = npt.NDArray[Any]

MAGIC = 7767517
FLOAT16 = 0x01306B47
FLOAT32 = 0x0002C056
INT8 = 0x000D4B38
TABLE_LENGTH = 256
ARRAY_KEY = -23300

WEIGHTLESS = frozenset(
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
class Layer:
    """One line of the graph: what the layer is and its whole-number options by key."""

    kind: str
    name: str
    options: dict[int, int]


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """The arrays of one layer, laid out as PyTorch lays them out.

    `weight` is [out, in, kh, kw] for a convolution and for an inner product (kh = kw = 1),
    [in, out, kh, kw] for a deconvolution, [channels] for a PReLU; float16 or float32 as stored.
    `bias` is [out] float32, or None.
    """

    layer: Layer
    weight: Array
    bias: Array | None


class Blocks:
    """Hands out the weight file block by block and notices its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, count: int, dtype: str, owner: str) -> Array:
        """Return the next `count` numbers as a read-only [count] array; then skip to four bytes.

        Raises:
            CorruptWeights: the file ends before they do.
        """
        size = count * np.dtype(dtype).itemsize
        if self._position + size > len(self._data):
            raise CorruptWeights(
                f"The weight file ends inside layer {owner}: {size} bytes wanted, "
                f"{len(self._data) - self._position} left. Fetch the file again."
            )
        block = np.frombuffer(self._data, dtype, count, self._position)
        self._position += size + -size % 4
        return block

    def left(self) -> int:
        """Count the bytes that nobody has taken."""
        return max(0, len(self._data) - self._position)


def read_graph(text: str) -> tuple[Layer, ...]:
    """Parse a .param file into its layers, in order.

    Raises:
        CorruptWeights: it is no such file, or its layer count is off.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or lines[0].strip() != str(MAGIC):
        raise CorruptWeights(f"This is no ncnn graph: its first line is not {MAGIC}.")
    try:
        promised = int(lines[1].split()[0])
        layers = tuple(_layer(line) for line in lines[2:])
    except (IndexError, ValueError) as error:
        raise CorruptWeights(f"The ncnn graph cannot be read: {error}.") from error
    if promised != len(layers):
        raise CorruptWeights(
            f"The ncnn graph promises {promised} layers and holds {len(layers)}. "
            "Fetch the file again."
        )
    return layers


def read_weights(layers: tuple[Layer, ...], data: bytes) -> list[LayerWeights]:
    """Deal a .bin file out to the layers that own weights, in the graph's order.

    Raises:
        UnsupportedWeights: a layer type or a number format that is not read here.
        CorruptWeights: the file is shorter or longer than the graph wants.
    """
    blocks = Blocks(data)
    weights = list(_deal(layers, blocks))
    if blocks.left():
        raise CorruptWeights(
            f"{blocks.left()} bytes are left over after the last layer: "
            "the weights belong to another graph."
        )
    return weights


def _deal(layers: tuple[Layer, ...], blocks: Blocks) -> Iterator[LayerWeights]:
    for layer in layers:
        if layer.kind in WEIGHTLESS:
            continue
        if layer.kind == "PReLU":
            slopes = blocks.take(layer.options[0], "<f4", layer.name)
            yield LayerWeights(layer, slopes, None)
        elif layer.kind in ("Convolution", "Deconvolution", "InnerProduct"):
            yield _matrix(layer, blocks)
        else:
            raise UnsupportedWeights(
                f"Layers of type {layer.kind} ({layer.name}) are not read from ncnn files."
            )


def _matrix(layer: Layer, blocks: Blocks) -> LayerWeights:
    """Take one convolution-like layer: its flagged weights, then its bias where it has one."""
    inner = layer.kind == "InnerProduct"
    outputs, count = layer.options[0], layer.options[2 if inner else 6]
    width = 1 if inner else layer.options[1]
    height = 1 if inner else layer.options.get(11, width)
    if count % (outputs * width * height):
        raise CorruptWeights(
            f"Layer {layer.name} has {count} weights, no multiple of {outputs}×{height}×{width}."
        )
    shape = (outputs, count // (outputs * width * height), height, width)
    weight = _flagged(count, layer.name, blocks).reshape(shape)
    if layer.kind == "Deconvolution":
        weight = weight.transpose(1, 0, 2, 3)
    has_bias = layer.options.get(1 if inner else 5, 0)
    bias = blocks.take(outputs, "<f4", layer.name) if has_bias else None
    return LayerWeights(layer, weight, bias)


def _flagged(count: int, owner: str, blocks: Blocks) -> Array:
    """Take `count` weights in the format that their four-byte flag names: [count] f16 or f32."""
    flag = int(blocks.take(1, "<u4", owner)[0])
    if flag == FLOAT16:
        return blocks.take(count, "<f2", owner)
    if flag in (0, FLOAT32):
        return blocks.take(count, "<f4", owner)
    if flag == INT8:
        raise UnsupportedWeights(
            f"Layer {owner} is stored in 8-bit integers; use the float16 or float32 file."
        )
    table = blocks.take(TABLE_LENGTH, "<f4", owner)
    return table[blocks.take(count, "<u1", owner)]


def _layer(line: str) -> Layer:
    kind, name, inputs, outputs, *rest = line.split()
    pairs = (item.split("=", 1) for item in rest[int(inputs) + int(outputs) :])
    options = {int(key): value for key, value in pairs}
    return Layer(kind, name, {k: int(v) for k, v in options.items() if _is_whole(k, v)})


def _is_whole(key: int, value: str) -> bool:
    """Tell whole numbers from arrays and real numbers, which name no weight's shape."""
    return key > ARRAY_KEY and value.lstrip("+-").isdigit()
