"""All weights of a block in one piece of memory: one copy brings them to a device."""

from __future__ import annotations

import logging
import math
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from inference.runtime.transfer import WAITING_DEVICES

log = logging.getLogger(__name__)

#: Bytes between the beginnings of tensors, as the devices' own allocators have them.
ALIGNMENT = 256


@dataclass(frozen=True, eq=False)
class _Slot:
    """One tensor of a block: who has it under which name, and where it lies in the piece."""

    tensors: dict[str, Any]
    name: str
    is_parameter: bool
    dtype: torch.dtype
    shape: torch.Size
    stride: tuple[int, ...]
    begin: int
    end: int

    def view(self, flat: Tensor) -> Tensor:
        """Give the tensor in a piece of memory."""
        return flat[self.begin : self.end].view(self.dtype).as_strided(self.shape, self.stride)

    def place(self, tensor: Tensor) -> None:
        """Give the tensor to who has it."""
        self.tensors[self.name] = (
            nn.Parameter(tensor, requires_grad=False) if self.is_parameter else tensor
        )


class FlatBlock:
    """The weights of some modules, on the device or in the machine's memory.

    They are laid into one piece when they first move. Weights are never changed, so the piece in
    the machine's memory stays, and what leaves the device is only let go of.
    """

    def __init__(
        self, owners: Iterable[nn.Module], device: torch.device, park: torch.device
    ) -> None:
        """Take the modules whose own tensors these are."""
        self._owners, self._device, self._park = list(owners), device, park
        self._slots: list[_Slot] = []
        self._parked: Tensor | None = None
        #: On its way to the device, or there.
        self._sent: Tensor | None = None

    def list_tensors(self) -> Iterator[Tensor]:
        """List the tensors, wherever they lie."""
        for tensors, name, _ in self._list_places():
            yield tensors[name]

    def send_weights(self) -> None:
        """Begin to copy the weights to the device, unless that was done."""
        if self._sent is None and any(t.device != self._device for t in self.list_tensors()):
            parked_weights = self._park_weights()
            is_waiting = self._device.type in WAITING_DEVICES
            self._sent = parked_weights.to(self._device, non_blocking=not is_waiting)

    @torch.inference_mode(mode=False)
    def load_weights(self) -> None:
        """Have the weights on the device."""
        self.send_weights()
        if self._sent is not None:
            for slot in self._slots:
                slot.place(slot.view(self._sent))

    @torch.inference_mode(mode=False)
    def unload_weights(self) -> None:
        """Free the device of the weights."""
        parked_weights = self._park_weights()
        for slot in self._slots:
            slot.place(slot.view(parked_weights))
        self._sent = None

    def drop_sent(self) -> None:
        """Let go of what was sent and is not in use."""
        self._sent = None

    def forget_parked(self) -> None:
        """Forget the piece in the machine's memory: the weights have changed."""
        self._slots, self._parked, self._sent = [], None, None

    @property
    def sent(self) -> Tensor | None:
        """The piece on the device, if there is one."""
        return self._sent

    @torch.inference_mode(mode=False)
    def _park_weights(self) -> Tensor:
        """Lay the weights into one piece of the machine's memory, once."""
        if self._parked is None:
            self._slots = list(self._make_slots())
            size = max([0, *(slot.end for slot in self._slots)])
            self._parked = torch.empty(size, dtype=torch.uint8, device=self._park)
            for slot in self._slots:
                slot.view(self._parked).copy_(slot.tensors[slot.name])
                if slot.tensors[slot.name].device == self._park:
                    slot.place(slot.view(self._parked))  # what it lay in before is free
            pin_memory(self, self._parked, self._device)
        return self._parked

    def _make_slots(self) -> Iterator[_Slot]:
        end = 0
        for tensors, name, is_parameter in self._list_places():
            tensor = tensors[name]
            like = torch.empty_like(tensor, device="meta")  # its strides without gaps
            begin = math.ceil(end / ALIGNMENT) * ALIGNMENT
            end = begin + like.nbytes
            yield _Slot(
                tensors, name, is_parameter, like.dtype, like.shape, like.stride(), begin, end
            )

    def _list_places(self) -> Iterator[tuple[dict[str, Any], str, bool]]:
        for owner in self._owners:
            for tensors, is_parameter in ((owner._parameters, True), (owner._buffers, False)):
                for name, tensor in list(tensors.items()):
                    if tensor is not None:
                        yield tensors, name, is_parameter


def pin_memory(owner: object, tensor: Tensor, device: torch.device) -> None:
    """Let a CUDA device copy from a tensor by itself, for as long as its owner lives.

    CUDA's own pinned memory would come in powers of two; where the system allows no more of it,
    copies wait.
    """
    if device.type != "cuda" or tensor.device.type != "cpu" or not tensor.nbytes:
        return
    runtime: Any = torch.cuda.cudart()  # type: ignore[no-untyped-call]
    if int(runtime.cudaHostRegister(tensor.data_ptr(), tensor.nbytes, 0)):
        log.info("%d bytes of weights could not be pinned.", tensor.nbytes)
        return
    # The finalizer holds the tensor, so that the memory outlives its registration.
    weakref.finalize(owner, _unpin_memory, runtime, tensor)


def _unpin_memory(runtime: Any, tensor: Tensor) -> None:
    runtime.cudaHostUnregister(tensor.data_ptr())
