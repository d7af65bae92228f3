"""What one upscale asks for, and the sizes that follow from it: whole numbers, no pixels."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from inference.upscaling.tiling.tiles import plan_tiles

Size = tuple[int, int]

MIN_SCALE_FACTOR = 1.0
MAX_SCALE_FACTOR = 8.0
MAX_PASSES = 3  # with a 2× network, what the largest factor takes


class Resampler(Enum):
    """Enlarging without a network."""

    LANCZOS = "lanczos"
    NEAREST = "nearest"


@dataclass(frozen=True)
class NetworkTraits:
    """What a plan must know of a loaded network."""

    key: str
    """Under which the engine finds it again."""
    scale: int
    """How many times larger a pass makes each side."""
    tile: int
    """Pixels a side that a tile adds."""
    overlap: int
    """Pixels of context around it."""
    exact: bool
    """Whether tiles may meet in hard cuts."""
    surveys: int = 0
    """How often tiles are surveyed first, for a network that averages over its whole input."""
    full: bool = False
    """Whether tiles of a larger picture have the full side, the one that is compiled."""


Method = NetworkTraits | Resampler


@dataclass(frozen=True)
class ScaleBy:
    """Enlarge each side by a factor of 1 to 8, in hundredths; 1 restores at unchanged size."""

    factor: float

    def __post_init__(self) -> None:
        if not MIN_SCALE_FACTOR <= self.factor <= MAX_SCALE_FACTOR:
            raise ValueError(f"The factor must be from 1 to 8, not {self.factor:g}.")


@dataclass(frozen=True)
class ScaleTo:
    """Cover a size, keeping the picture's shape; `crop` cuts what sticks out, evenly."""

    width: int
    height: int
    crop: bool = True

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 1:
            raise ValueError(f"The size must be positive, not {self.width}×{self.height}.")


@dataclass(frozen=True)
class UpscalePlan:
    """One upscale of one picture."""

    upscaler: Method
    target: ScaleBy | ScaleTo
    second: Method | None = None
    """An upscaler whose result is laid over the first one's."""
    visibility: float = 0.0
    """How much of the second one shows, 0..1."""
    longest_side: int | None = None
    """Pixels that no side of the result may pass; the shape is kept."""
    alpha_by_network: bool = True
    """Whether transparency goes through the network too, or is enlarged by Lanczos."""

    def __post_init__(self) -> None:
        if not 0 <= self.visibility <= 1:
            raise ValueError(f"The visibility must be from 0 to 1, not {self.visibility:g}.")
        if self.longest_side is not None and self.longest_side < 1:
            raise ValueError(f"The longest side must be positive, not {self.longest_side}.")

    def weighted_methods(self) -> tuple[tuple[Method, float], ...]:
        """Return the upscalers that show, each with its share of the result."""
        if self.second is None or self.visibility == 0:
            return ((self.upscaler, 1.0),)
        if self.visibility == 1:
            return ((self.second, 1.0),)
        return (self.upscaler, 1 - self.visibility), (self.second, self.visibility)


def scaled_size(size: Size, plan: UpscalePlan) -> Size:
    """Return the size to enlarge to, before any cropping; both sides at least 1."""
    width, height = size
    scale_target = plan.target
    if isinstance(scale_target, ScaleBy):
        hundredths = round(scale_target.factor * 100)
        enlarged_size = (
            _divide_rounded(width * hundredths, 100),
            _divide_rounded(height * hundredths, 100),
        )
    elif scale_target.width * height >= scale_target.height * width:
        enlarged_size = (
            scale_target.width,
            max(scale_target.height, _divide_rounded(height * scale_target.width, width)),
        )
    else:
        enlarged_size = (
            max(scale_target.width, _divide_rounded(width * scale_target.height, height)),
            scale_target.height,
        )
    longest = max(enlarged_size)
    if plan.longest_side is None or longest <= plan.longest_side:
        return enlarged_size
    return (
        _divide_rounded(enlarged_size[0] * plan.longest_side, longest),
        _divide_rounded(enlarged_size[1] * plan.longest_side, longest),
    )


def final_size(size: Size, plan: UpscalePlan) -> Size:
    """Return the size of the result."""
    enlarged_size = scaled_size(size, plan)
    if isinstance(plan.target, ScaleBy) or not plan.target.crop:
        return enlarged_size
    return (min(plan.target.width, enlarged_size[0]), min(plan.target.height, enlarged_size[1]))


def pass_sizes(size: Size, plan: UpscalePlan, network: NetworkTraits) -> list[Size]:
    """Return the picture's size before each pass of a network.

    The network runs until the picture covers its target, at most three times; once even where the
    size stays, and never where the picture shrinks.
    """
    target = scaled_size(size, plan)
    if target[0] < size[0] or target[1] < size[1]:
        return []
    sizes = [size]
    while network.scale > 1 and len(sizes) < MAX_PASSES:
        total_scale = network.scale ** len(sizes)
        current = (size[0] * total_scale, size[1] * total_scale)
        if current[0] >= target[0] and current[1] >= target[1]:
            break
        sizes.append(current)
    return sizes


def is_tiled(size: Size, plan: UpscalePlan, network: NetworkTraits) -> bool:
    """Say whether some pass of a network takes more than one tile."""
    largest = network.tile + 2 * network.overlap
    return any(max(pass_size) > largest for pass_size in pass_sizes(size, plan, network))


def largest_size(size: Size, plan: UpscalePlan) -> Size:
    """Return the largest picture that the plan makes on its way, for checks against a ceiling."""
    sizes = [scaled_size(size, plan)]
    for method, _ in plan.weighted_methods():
        if isinstance(method, NetworkTraits):
            input_sizes = pass_sizes(size, plan, method)
            sizes += [
                (width * method.scale, height * method.scale) for width, height in input_sizes
            ]
    return max(sizes, key=lambda each: each[0] * each[1])


def count_tiles(size: Size, plan: UpscalePlan, *, transparent: bool = False) -> int:
    """Count the tiles that the plan will run, for prices and progress."""
    networks = [
        method for method, _ in plan.weighted_methods() if isinstance(method, NetworkTraits)
    ]
    counts = [
        _count_once(pass_size, network)
        for network in networks
        for pass_size in pass_sizes(size, plan, network)
    ]
    return sum(counts) * (2 if transparent and plan.alpha_by_network else 1)


def _count_once(size: Size, network: NetworkTraits) -> int:
    """Count the tiles of one pass and of the surveys before it; a single tile needs none."""
    tiles = len(plan_tiles(*size, network.tile, network.overlap))
    return tiles * (1 + network.surveys) if tiles > 1 else tiles


def _divide_rounded(numerator: int, denominator: int) -> int:
    """Divide, round halves up, and keep at least 1."""
    return max(1, (2 * numerator + denominator) // (2 * denominator))
