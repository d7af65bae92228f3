"""The noise of one row: first latent, ancestral noise and Brownian noise, all from its own seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from inference.api.jobs.names import count_seed
from inference.runtime.transfer import send_tensor
from inference.sampling.brownian import BrownianTree
from inference.sampling.philox import PhiloxGenerator

#: Two noises pointing the same way this closely are mixed in a straight line: the arc's sine
#: would divide by almost nothing.
PARALLEL_COSINE = 0.9995


class TorchGenerator:
    """Torch's own generator on the CPU."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def manual_seed(self, seed: int) -> None:
        """Begin anew with another seed."""
        self._generator.manual_seed(seed)

    def randn(self, shape: tuple[int, ...]) -> Tensor:
        """Draw a tensor of unit variance, float32 on the CPU."""
        return torch.randn(shape, generator=self._generator)


#: From the first training step of latent diffusion's networks to the last.
DEFAULT_SPAN = (0.0291671, 14.6146409)

#: Where noise may come from, as the field names it.
NOISE_GENERATORS: Mapping[str, type[TorchGenerator] | type[PhiloxGenerator]] = {
    "CPU": TorchGenerator,
    "NV": PhiloxGenerator,
}


@dataclass(frozen=True)
class SeedVariation:
    """A second seed mixed into the first latent, strength 0 (none of it) to 1 (it alone)."""

    seed: int
    strength: float


class NoiseSource:
    """Draw every random number of one row, in a fixed order, on the CPU.

    ``shape`` is the row's latent [C, H, W]. All noise is float32 with unit variance and comes back
    on ``device``. The numbers depend on the arguments alone: never on batch mates or the device.
    The first draw is ``torch.randn(shape, generator)``, the one diffusers makes for the same seed.
    """

    def __init__(
        self,
        seed: int,
        shape: tuple[int, ...],
        *,
        variation: SeedVariation | None = None,
        resize_from: tuple[int, int] | None = None,
        seed_delta: int = 0,
        rng: str = "CPU",
        span: tuple[float, float] = DEFAULT_SPAN,
        device: torch.device | str = "cpu",
    ) -> None:
        """Draw the first latent.

        ``rng`` is `CPU` for torch's own generator, or `NV` for the one of Nvidia's cards; ``span``
        the lowest and highest noise level of the whole schedule, which fix the Brownian path.

        ``resize_from`` is another latent's (H, W): its noise for this seed fills the centre of this
        one's, each drawn anew from the seed.
        ``seed_delta`` (the field's ENSD) re-seeds the ancestral noise with seed + delta.
        """
        self._seed = seed
        self._shape = tuple(shape)
        self._span = span
        self._device = torch.device(device)
        self._make = NOISE_GENERATORS[rng]
        self._generator = self._make(seed)
        self._initial = self._draw_initial_noise(variation, resize_from)
        if seed_delta:
            self._generator.manual_seed(count_seed(seed, seed_delta))
        self._path: BrownianTree | None = None

    def initial_noise(self) -> Tensor:
        """Return the first latent's noise, [C, H, W]; the same at every call."""
        return self._initial.to(self._device, copy=True)

    def fresh_noise(self) -> Tensor:
        """Return fresh noise, [C, H, W]: the next draw of the row's generator."""
        return send_tensor(self._generator.randn(self._shape), self._device)

    def brownian_noise(self, sigma_from: float, sigma_to: float) -> Tensor:
        """Return the Brownian path's increment between two levels over the root of its length.

        [C, H, W], unit variance; the same levels give the same noise whatever was asked before.
        """
        if self._path is None:
            self._path = BrownianTree(
                self._seed, self._span, lambda seed: self._make(seed).randn(self._shape)
            )
        return send_tensor(self._path.scaled_increment(sigma_from, sigma_to), self._device)

    def _draw_initial_noise(
        self, variation: SeedVariation | None, resize_from: tuple[int, int] | None
    ) -> Tensor:
        shape = self._shape if resize_from is None else (*self._shape[:-2], *resize_from)
        canvas = noise = self._generator.randn(self._shape)
        if shape != self._shape:
            noise = self._make(self._seed).randn(shape)
        if variation is not None and variation.strength > 0:
            variation_noise = self._make(variation.seed).randn(shape)
            noise = slerp(noise, variation_noise, variation.strength)
        if shape == self._shape:
            return noise
        return paste_centre(canvas, noise)


def slerp(low: Tensor, high: Tensor, strength: float) -> Tensor:
    """Mix two noises along the arc between them; shapes equal [C, H, W], strength in [0, 1].

    The angle is taken for each column along H and weights are per column, as the field's variation
    seeds do; nearly parallel noises (mean cosine above 0.9995) are mixed in a straight line.
    """
    unit_low = low / low.norm(dim=1, keepdim=True)
    unit_high = high / high.norm(dim=1, keepdim=True)
    cosine = (unit_low * unit_high).sum(dim=1, keepdim=True)
    if cosine.mean() > PARALLEL_COSINE:
        return torch.lerp(low, high, strength)
    angle = torch.acos(cosine.clamp(-1, 1))
    weight_low, weight_high = torch.sin((1 - strength) * angle), torch.sin(strength * angle)
    return (weight_low * low + weight_high * high) / torch.sin(angle)


def paste_centre(canvas: Tensor, patch: Tensor) -> Tensor:
    """Return canvas [C, H, W] with patch [C, h, w] over its centre; a larger patch is cropped."""
    result = canvas.clone()
    rows = _centred_overlap(canvas.shape[-2], patch.shape[-2])
    columns = _centred_overlap(canvas.shape[-1], patch.shape[-1])
    result[..., rows[0], columns[0]] = patch[..., rows[1], columns[1]]
    return result


def _centred_overlap(canvas: int, patch: int) -> tuple[slice, slice]:
    """Return the centred stretch common to both lengths, as slices of the canvas and the patch.

    An odd remainder of a larger patch is cut off on both sides, as the field's programs do.
    """
    if canvas >= patch:
        gap = (canvas - patch) // 2
        return slice(gap, gap + patch), slice(0, patch)
    gap = (patch - canvas + 1) // 2
    return slice(0, patch - 2 * gap), slice(gap, patch - gap)
