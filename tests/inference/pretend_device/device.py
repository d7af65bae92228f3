"""A pretend graphics card: tensors lie on `pretend:0`, numbers are made on the processor.

What a card's host would feel is counted: launches of kernels, copies either way, waits. What takes
tensors of both devices is an error, as on a card. Importing this registers the device for the
whole process, so it is done in one of its own (`scenarios.py`).
"""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from typing import Any

import torch
from torch.nn import functional
from torch.utils._pytree import tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "pretend"
aten = torch.ops.aten
#: Launches, copies in and out, waits, and bytes both ways since the last `take_counts`.
COUNTS: Counter[str] = Counter()
#: Operations that only name memory anew, or only reserve it.
FREE = {
    aten.detach.default,
    aten.alias.default,
    aten.lift_fresh.default,
    aten._unsafe_view.default,
    aten._reshape_alias.default,
    aten.empty.memory_format,
    aten.empty_like.default,
    aten.empty_strided.default,
    aten.new_empty.default,
    aten.new_empty_strided.default,
}
#: Those that take indices from the machine's memory, and copy them.
INDEXING = {
    aten.index.Tensor,
    aten.index_put.default,
    aten.index_put_.default,
    aten._index_put_impl_.default,
}
#: Those whose result has a size that only the device knows.
SIZED_BY_VALUES = {aten.nonzero.default, aten.masked_select.default, aten._unique2.default}


class MixedDevices(RuntimeError):
    """An operation was given tensors of the device and of the machine's memory."""


class Backend:
    """What torch asks a device's module for."""

    @staticmethod
    def is_available() -> bool:
        """It is always there."""
        return True

    @staticmethod
    def is_initialized() -> bool:
        """It needs no beginning."""
        return True

    @staticmethod
    def device_count() -> int:
        """There is one."""
        return 1

    @staticmethod
    def current_device() -> int:
        """It is the first."""
        return 0

    @staticmethod
    def _is_in_bad_fork() -> bool:
        return False

    @staticmethod
    def manual_seed_all(seed: int) -> None:
        """Nothing random is drawn on it."""

    @staticmethod
    def get_amp_supported_dtype() -> list[torch.dtype]:
        """Give what cards have."""
        return [torch.float16, torch.bfloat16]


class PretendTensor(torch.Tensor):
    """A tensor on the device; `inner` has its numbers."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> PretendTensor:
        """Wrap numbers of the machine's memory."""
        tensor = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            device=DEVICE,
            requires_grad=False,
        )
        tensor.inner = inner
        return tensor

    def __repr__(self) -> str:
        return f"PretendTensor({tuple(self.shape)}, {self.dtype})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation on the inner tensors."""
        return run_operation(func, args, kwargs or {})

    def numpy(self, **_: Any) -> Any:
        """Refuse, as a card's tensors do."""
        raise TypeError("can't convert a pretend device's tensor to numpy")

    __array__ = numpy

    def data_ptr(self) -> int:
        """Say where it lies."""
        return self.inner.data_ptr()

    def tolist(self) -> Any:
        """Copy the numbers out."""
        COUNTS["copies out"] += 1
        COUNTS["bytes out"] += self.inner.nbytes
        return self.inner.tolist()


def take_counts() -> dict[str, int]:
    """Give what was counted since the last time."""
    counts = dict(COUNTS)
    COUNTS.clear()
    return counts


def run_operation(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run an operation that has a tensor of the device among its arguments, and count it."""
    tensors: list[torch.Tensor] = []
    tree_map(lambda v: tensors.append(v) if isinstance(v, torch.Tensor) else None, (args, kwargs))
    if func is aten._has_compatible_shallow_copy_type.default:
        return isinstance(args[0], PretendTensor) and isinstance(args[1], PretendTensor)
    if func is aten._local_scalar_dense.default:
        COUNTS["copies out"] += 1
        return func(args[0].inner)
    if func is aten._to_copy.default:
        return _convert(args[0], dict(kwargs))
    if func in (aten.copy_.default, aten._copy_from.default):
        return _copy_into(*(args[:2] if func is aten.copy_.default else args[1::-1]), kwargs, args)
    strangers = [tensor for tensor in tensors if not isinstance(tensor, PretendTensor)]
    if func in INDEXING and strangers:
        COUNTS["copies in"] += 1
    elif any(tensor.ndim for tensor in strangers):
        raise MixedDevices(f"expected all tensors to be on the same device: {func}")
    if func in SIZED_BY_VALUES or func is aten.equal.default:
        COUNTS["copies out"] += 1
    if kwargs.get("device") is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    output = func(*tree_map(_unwrap, args), **tree_map(_unwrap, kwargs))
    if _writes(func):
        COUNTS["launches"] += 1
        return args[0] if not isinstance(output, tuple | list) else output
    if func not in FREE and not _is_view(func):
        COUNTS["launches"] += 1
    return tree_map(_wrap, output)


def _convert(source: torch.Tensor, kwargs: dict[str, Any]) -> torch.Tensor:
    """Run `to` in another format or on another device."""
    wanted = kwargs.pop("device", None)
    target = torch.device(wanted).type if wanted is not None else None
    is_waiting = not kwargs.pop("non_blocking", False)
    is_here = isinstance(source, PretendTensor)
    output = aten._to_copy.default(_unwrap(source), **kwargs)
    if is_here and target == "cpu":
        _count_copy("out", output, is_waiting)
        return output
    if is_here:
        COUNTS["launches"] += 1
    else:
        _count_copy("in", output, is_waiting)
    return PretendTensor(output)


def _copy_into(
    target: torch.Tensor, source: torch.Tensor, kwargs: dict[str, Any], args: Any
) -> torch.Tensor:
    """Run `copy_`."""
    is_waiting = not (kwargs.get("non_blocking") or (len(args) > 2 and args[2]))
    if isinstance(target, PretendTensor) and isinstance(source, PretendTensor):
        COUNTS["launches"] += 1
    else:
        _count_copy("in" if isinstance(target, PretendTensor) else "out", source, is_waiting)
    _unwrap(target).copy_(_unwrap(source))
    return target


def _count_copy(way: str, tensor: torch.Tensor, is_waiting: bool) -> None:
    COUNTS[f"copies {way}" if is_waiting else f"queued copies {way}"] += 1
    COUNTS[f"bytes {way}"] += tensor.nbytes


def _unwrap(value: Any) -> Any:
    return value.inner if isinstance(value, PretendTensor) else value


def _wrap(value: Any) -> Any:
    is_plain = isinstance(value, torch.Tensor) and not isinstance(value, PretendTensor)
    return PretendTensor(value) if is_plain else value


def _is_view(func: Any) -> bool:
    infos = [result.alias_info for result in func._schema.returns]
    return any(info is not None and not info.is_write for info in infos)


def _writes(func: Any) -> bool:
    infos = [result.alias_info for result in func._schema.returns]
    return any(info is not None and info.is_write for info in infos)


def _make_factory(operation: Any) -> Any:
    def create(*args: Any, **kwargs: Any) -> torch.Tensor:
        if kwargs.get("device") is not None:
            kwargs["device"] = torch.device("cpu")
        output = operation(*args, **kwargs)
        COUNTS["launches"] += operation not in FREE
        return PretendTensor(output)

    return create


def _register_factories(library: torch.library.Library) -> None:
    """Let everything that makes a tensor out of none make it on the device, where asked to."""
    for name in torch._C._dispatch_get_all_op_names():
        base, _, overload = name.removeprefix("aten::").partition(".")
        if not name.startswith("aten::") or not hasattr(aten, base):
            continue
        operation = getattr(getattr(aten, base), overload or "default", None)
        schema = operation and operation._schema
        if not schema or len(schema.returns) != 1 or "Tensor" not in str(schema.returns[0].type):
            continue
        takes_tensors = any("Tensor" in str(argument.type) for argument in schema.arguments)
        if takes_tensors or not any(argument.name == "device" for argument in schema.arguments):
            continue
        library.impl(name.removeprefix("aten::"), _make_factory(operation), "PrivateUse1")


_attend = functional.scaled_dot_product_attention


def attend_in_one_launch(query: Any, key: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
    """Run attention as a card does: as one kernel."""
    if not isinstance(query, PretendTensor):
        return _attend(query, key, value, *args, **kwargs)
    inputs, options = (query, key, value, *args), kwargs
    tensors = [item for item in (*inputs, *options.values()) if isinstance(item, torch.Tensor)]
    if not all(isinstance(item, PretendTensor) for item in tensors):
        raise MixedDevices("attention over tensors of two devices")
    COUNTS["launches"] += 1
    return PretendTensor(_attend(*map(_unwrap, inputs), **tree_map(_unwrap, options)))


class Autocast(nullcontext[None]):
    """Stands in for torch's own, whose kernels know no device of ours."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__(None)


class InferenceMode(torch.no_grad):
    """Stands in for torch's own, in which no tensor can be wrapped."""

    def __new__(cls, mode: bool = True) -> InferenceMode:
        """Make one, whatever is asked."""
        return object.__new__(cls)

    def __init__(self, mode: bool = True) -> None:
        super().__init__()


def _synchronize(_device: Any = None) -> None:
    COUNTS["waits"] += 1


_setup_privateuseone_for_python_backend(NAME, backend_module=Backend())
DEVICE = torch.device(NAME, 0)
LIBRARY = torch.library.Library("aten", "IMPL")
_register_factories(LIBRARY)
LIBRARY.impl(
    "_copy_from",
    lambda source, target, non_blocking=False: run_operation(
        aten.copy_.default, (target, source, non_blocking), {}
    ),
    "PrivateUse1",
)
functional.scaled_dot_product_attention = attend_in_one_launch
torch.__future__.set_overwrite_module_params_on_conversion(True)
torch.accelerator.synchronize = _synchronize
torch.inference_mode = InferenceMode
torch.autocast = Autocast
