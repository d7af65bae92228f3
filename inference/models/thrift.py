"""How sparingly a checkpoint uses its device's memory: as much as what it works on needs.

Rungs are climbed when memory runs out, and remembered by the size that needed them, so that a
large picture makes no small one slow. The autoencoder first works in stripes, then parks what lies
between its layers in the machine's memory, with the other parts parked there too. The denoising
network first has the other parts leave (the field's `medvram`), then comes block by block
(`lowvram`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

log = logging.getLogger(__name__)

CPU = torch.device("cpu")
#: The host's choices, in the order in which they spare memory.
LEVELS = ("none", "medvram", "lowvram")
UNET, VAE, TEXT = "unet", "vae", "text"
#: Rungs of the autoencoder.
STRIPED, PARKED = 1, 2
#: Rungs of the denoising network.
OTHERS_AWAY, BLOCKWISE = 1, 2
#: Pixels above which the autoencoder works in stripes from the start.
LARGE = 2 * 1024 * 1024


class Seat:
    """A module whose weights lie on the device, or in the machine's memory while others work."""

    def __init__(self, module: Any, device: torch.device, park: torch.device) -> None:
        self._module, self._device, self._park = module, device, park
        #: Weights are never changed, so what was parked once is not copied back again.
        self._parked: dict[tuple[str, str], Tensor] = {}

    def take(self) -> None:
        """Bring the weights to the device."""
        self._move(self._device)

    def leave(self) -> None:
        """Free the device of the weights."""
        self._move(self._park)

    @torch.inference_mode(mode=False)
    def _move(self, device: torch.device) -> None:
        for place, owner in self._module.named_modules():
            for own, make in (
                (owner._parameters, _parameter),
                (owner._buffers, torch.Tensor.detach),
            ):
                for name, tensor in own.items():
                    if tensor is not None and tensor.device != device:
                        own[name] = make(self._copy((place, name), tensor, device))

    def _copy(self, key: tuple[str, str], tensor: Tensor, device: torch.device) -> Tensor:
        if device == self._park:
            if key not in self._parked:
                self._parked[key] = tensor.detach().to(device)
            return self._parked[key]
        self._parked.setdefault(key, tensor.detach())
        return tensor.detach().to(device)


def _parameter(tensor: Tensor) -> torch.nn.Parameter:
    return torch.nn.Parameter(tensor, requires_grad=False)


class Thrift:
    """The parts of one checkpoint and where they lie."""

    def __init__(
        self,
        parts: Mapping[str, Sequence[Any]] | None = None,
        device: torch.device = CPU,
        *,
        park: torch.device = CPU,
        level: str = "none",
    ) -> None:
        """Take the modules of each part, and what the host wants spared from the start."""
        # "cuda" and "cuda:0" are one device under two names.
        device = torch.empty(0, device=device).device
        self._device, self._park = device, park
        self._parts = {
            part: [Seat(module, device, park) for module in modules]
            for part, modules in (parts or {}).items()
        }
        self._level = LEVELS.index(level)
        #: For each part, sizes that ran out of memory and the rung that they were given.
        self._needs: dict[str, dict[int, int]] = {}
        self._last: tuple[str, int] | None = None
        self._blockwise = False
        if device != park:
            for module in (parts or {}).get(UNET, ()):
                self._watch(module)

    @property
    def park(self) -> torch.device:
        """Where things lie that shall not take up the device's memory."""
        return self._park

    def use(self, part: str, size: int) -> int:
        """Make a part ready to work on so many pixels or cells; say how sparingly: its rung."""
        self._last = (part, size)
        rung = self._rung(part, size)
        if self._device == self._park:
            return rung
        self._blockwise = part == UNET and rung == BLOCKWISE
        if self._level or (rung == PARKED if part == VAE else rung):
            for other in self._parts:
                if other != part or self._blockwise:
                    self._leave(other)
        if not self._blockwise:
            for seat in self._parts.get(part, ()):
                seat.take()
        return rung

    def climb(self) -> bool:
        """Be more sparing with sizes like the last one; say whether that can help."""
        if self._last is None:
            return False
        part, size = self._last
        rung = self._rung(part, size) + 1
        if rung > self._highest(part):
            return False
        self._needs.setdefault(part, {})[size] = rung
        log.warning("Memory ran out: the %s goes on at rung %d from size %d.", part, rung, size)
        return True

    def _rung(self, part: str, size: int) -> int:
        least = {UNET: self._level, VAE: STRIPED if size > LARGE else 0}.get(part, 0)
        needs = self._needs.get(part, {})
        return max([least, *(rung for known, rung in needs.items() if known <= size)])

    def _highest(self, part: str) -> int:
        """Give the last rung that helps: without another memory to park in, only stripes do."""
        if self._device == self._park:
            return STRIPED if part == VAE else 0
        return {UNET: BLOCKWISE, VAE: PARKED}.get(part, OTHERS_AWAY)

    def _leave(self, part: str) -> None:
        for seat in self._parts[part]:
            seat.leave()

    def _watch(self, network: Any) -> None:
        """Let the blocks of a network come and go one by one, while that is wanted."""
        for block in _blocks(network):
            seat = Seat(block, self._device, self._park)

            def come(*_: object, seat: Seat = seat) -> None:
                if self._blockwise:
                    seat.take()

            def go(*_: object, seat: Seat = seat) -> None:
                if self._blockwise:
                    seat.leave()

            block.register_forward_pre_hook(come)
            block.register_forward_hook(go, always_call=True)


def _blocks(network: Any) -> Iterable[Any]:
    """List a network's children; of lists of blocks, each block."""
    for child in network.children():
        if isinstance(child, torch.nn.ModuleList):
            yield from child
        else:
            yield child
