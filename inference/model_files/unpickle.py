"""Turn a PyTorch pickle into safetensors, in a process of its own that ends afterwards.

`python -m inference.model_files.unpickle FROM TO`. Only torch's restricted unpickler is used; it
knows tensors and plain containers. Numbers, settings and bookkeeping that trainers store beside the
weights are known by name and become nothing: no code of theirs is imported or run. A file with
anything else in it is refused by the names of what it holds.
"""

from __future__ import annotations

import pickle
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

EXIT_REFUSED = 2
#: Where published files keep their weights, the averaged ones first.
WRAPPER_KEYS = (
    "model_state_dict",
    "state_dict",
    "params_ema",
    "params-ema",
    "g_ema",
    "params",
    "model",
    "net",
    "netG",
    "generator",
)
#: What wrappers of modules write before every name.
NAME_PREFIXES = ("module.", "netG.")
BUILTIN_TYPES = ("set", "frozenset", "list", "dict", "tuple", "int", "float", "str", "bool")
#: What may lie beside weights without being read.
SKIPPED_NAMES = (
    *(
        f"numpy.{core}.multiarray.{name}"
        for core in ("core", "_core")
        for name in ("scalar", "_reconstruct")
    ),
    "numpy._core.numeric._frombuffer",
    "numpy.core.numeric._frombuffer",
    *(f"numpy.{name}" for name in ("dtype", "ndarray", "float64", "float32", "int64", "bool_")),
    *(
        f"numpy.dtypes.{name}DType"
        for name in ("Bool", "Float16", "Float32", "Float64", "Int32", "Int64", "Str", "UInt8")
    ),
    *(f"{module}.{name}" for module in ("builtins", "__builtin__") for name in BUILTIN_TYPES),
    "argparse.Namespace",
    "types.SimpleNamespace",
    *(f"datetime.{name}" for name in ("date", "datetime", "timedelta", "timezone")),
    *(f"pathlib.{name}" for name in ("Path", "PosixPath", "PurePosixPath", "WindowsPath")),
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
    "pytorch_lightning.callbacks.early_stopping.EarlyStopping",
    *(
        f"omegaconf.{name}"
        for name in (
            "dictconfig.DictConfig",
            "listconfig.ListConfig",
            "base.ContainerMetadata",
            "base.Metadata",
            "nodes.AnyNode",
        )
    ),
    "typing.Any",
    "typing.Dict",
    "typing.List",
)
UNKNOWN_GLOBAL_PATTERN = re.compile(r"(?:unsupported )?GLOBAL (\S+) (?:was not|whose module)")
#: Codes by which a terminal changes colours.
TERMINAL_CODE_PATTERN = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
MAX_NAMES_SHOWN = 5


class SkippedValue:
    """Stands for a value that is not needed; whatever it is made of is let go."""

    def __new__(cls, *_parts: object) -> SkippedValue:
        """Make one, whatever the value would have been made of."""
        return super().__new__(cls)

    def __init__(self, *_parts: object) -> None:
        """Take nothing."""

    def __setstate__(self, _state: object) -> None:
        """Take nothing."""


class StoredParameters(SkippedValue):
    """Stands for torch's ParameterDict, which holds the vectors of the first textual inversions."""

    parameters: Mapping[str, Tensor] = {}

    def __setstate__(self, state: object) -> None:
        """Take the parameters out of a stored module."""
        parameters = state.get("_parameters") if isinstance(state, Mapping) else None
        if isinstance(parameters, Mapping):
            self.parameters = parameters


def make_mapping(*_parts: object) -> dict[Any, Any]:
    """Stand for a dictionary with a default: a plain one."""
    return {}


STAND_INS: list[Any] = [
    *((SkippedValue, name) for name in SKIPPED_NAMES),
    (StoredParameters, "torch.nn.modules.container.ParameterDict"),
    (make_mapping, "collections.defaultdict"),
]


def convert_pickle(source: Path, target: Path) -> int:
    """Convert a file; return the number of its tensors.

    Raises:
        ValueError: it holds no tensors by name, or more than weights.
    """
    try:
        with torch.serialization.safe_globals(STAND_INS):
            content = torch.load(source, map_location="cpu", weights_only=True, mmap=False)
    except pickle.UnpicklingError as error:
        raise ValueError(_describe_refusal(source, str(error))) from error
    tensors = tensors_of(content)
    if not tensors:
        raise ValueError("it holds no weights by name")
    save_file({name: value.contiguous().clone() for name, value in tensors.items()}, target)
    return len(tensors)


def tensors_of(content: Any) -> dict[str, Tensor]:
    """Find the tensors of a checkpoint, an upscaler or an embedding."""
    if not isinstance(content, Mapping):
        return {}
    learned_vectors = content.get("string_to_param")
    if isinstance(learned_vectors, StoredParameters):
        learned_vectors = learned_vectors.parameters
    if isinstance(learned_vectors, Mapping):
        return {"emb_params": next(iter(learned_vectors.values())).detach()}
    for wrapper in WRAPPER_KEYS:
        if isinstance(content.get(wrapper), Mapping):
            return tensors_of(content[wrapper])
    if len(content) == 1 and isinstance(next(iter(content.values())), Mapping):
        return tensors_of(next(iter(content.values())))
    tensors = {
        str(name): value.detach() for name, value in content.items() if isinstance(value, Tensor)
    }
    for prefix in NAME_PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def _describe_refusal(source: Path, message: str) -> str:
    """Say what a pickle holds beside weights, as far as that can be told without running it."""
    try:
        with torch.serialization.safe_globals(STAND_INS):
            names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(source))
    except Exception:  # a pickle of another layout: what stopped the reader is known at least
        names = UNKNOWN_GLOBAL_PATTERN.findall(message)
    if not names:
        return "its pickle cannot be read as weights"
    name_list = ", ".join(names[:MAX_NAMES_SHOWN]) + " …" * (len(names) > MAX_NAMES_SHOWN)
    return f"it holds more than weights: {name_list}. Nothing of it was run"


def describe_failure(error: Exception) -> str:
    """Put an error into one line without a terminal's codes."""
    lines = TERMINAL_CODE_PATTERN.sub("", str(error)).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def main(arguments: list[str]) -> int:
    """Convert as the two arguments say; the exit code tells whether it went well."""
    source, target = map(Path, arguments)
    try:
        convert_pickle(source, target)
    except Exception as error:  # any failure of a hostile file is this process's last word
        sys.stderr.write(f"{source.name} cannot be converted: {describe_failure(error)}.\n")
        return EXIT_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
