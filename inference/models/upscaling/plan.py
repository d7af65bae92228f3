"""What one upscale asks for, and the sizes that follow from it: whole numbers, no pixels."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from inference.models.upscaling.tiles import plan_tiles

Size = tuple[int, int]

SMALLEST_FACTOR = 1.0
LARGEST_FACTOR = 8.0
MOST_PASSES = 3  # with a 2× network, what the largest factor takes


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
class By:
    """Enlarge each side by a factor of 1 to 8, in hundredths; 1 restores at unchanged size."""

    factor: float

    def __post_init__(self) -> None:
        if not SMALLEST_FACTOR <= self.factor <= LARGEST_FACTOR:
            raise ValueError(f"The factor must be from 1 to 8, not {self.factor:g}.")


@dataclass(frozen=True)
class To:
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
    aim: By | To
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

    def layers(self) -> tuple[tuple[Method, float], ...]:
        """Return the upscalers that show, each with its share of the result."""
        if self.second is None or self.visibility == 0:
            return ((self.upscaler, 1.0),)
        if self.visibility == 1:
            return ((self.second, 1.0),)
        return (self.upscaler, 1 - self.visibility), (self.second, self.visibility)


def scaled_size(size: Size, plan: UpscalePlan) -> Size:
    """Return the size to enlarge to, before any cropping; both sides at least 1."""
    width, height = size
    aim = plan.aim
    if isinstance(aim, By):
        hundredths = round(aim.factor * 100)
        scaled = (_rounded(width * hundredths, 100), _rounded(height * hundredths, 100))
    elif aim.width * height >= aim.height * width:
        scaled = (aim.width, max(aim.height, _rounded(height * aim.width, width)))
    else:
        scaled = (max(aim.width, _rounded(width * aim.height, height)), aim.height)
    longest = max(scaled)
    if plan.longest_side is None or longest <= plan.longest_side:
        return scaled
    return (
        _rounded(scaled[0] * plan.longest_side, longest),
        _rounded(scaled[1] * plan.longest_side, longest),
    )


def final_size(size: Size, plan: UpscalePlan) -> Size:
    """Return the size of the result."""
    scaled = scaled_size(size, plan)
    if isinstance(plan.aim, By) or not plan.aim.crop:
        return scaled
    return (min(plan.aim.width, scaled[0]), min(plan.aim.height, scaled[1]))


def pass_sizes(size: Size, plan: UpscalePlan, network: NetworkTraits) -> list[Size]:
    """Return the picture's size before each pass of a network.

    The network runs until the picture covers its target, at most three times; once even where the
    size stays, and never where the picture shrinks.
    """
    target = scaled_size(size, plan)
    if target[0] < size[0] or target[1] < size[1]:
        return []
    sizes = [size]
    while network.scale > 1 and len(sizes) < MOST_PASSES:
        reached = network.scale ** len(sizes)
        current = (size[0] * reached, size[1] * reached)
        if current[0] >= target[0] and current[1] >= target[1]:
            break
        sizes.append(current)
    return sizes


def is_tiled(size: Size, plan: UpscalePlan, network: NetworkTraits) -> bool:
    """Say whether some pass of a network takes more than one tile."""
    largest = network.tile + 2 * network.overlap
    return any(max(before) > largest for before in pass_sizes(size, plan, network))


def largest_size(size: Size, plan: UpscalePlan) -> Size:
    """Return the largest picture that the plan makes on its way, for checks against a ceiling."""
    sizes = [scaled_size(size, plan)]
    for method, _ in plan.layers():
        if isinstance(method, NetworkTraits):
            before = pass_sizes(size, plan, method)
            sizes += [(width * method.scale, height * method.scale) for width, height in before]
    return max(sizes, key=lambda each: each[0] * each[1])


def count_tiles(size: Size, plan: UpscalePlan, *, transparent: bool = False) -> int:
    """Count the tiles that the plan will run, for prices and progress."""
    networks = [method for method, _ in plan.layers() if isinstance(method, NetworkTraits)]
    counts = [
        _count_once(before, network)
        for network in networks
        for before in pass_sizes(size, plan, network)
    ]
    return sum(counts) * (2 if transparent and plan.alpha_by_network else 1)


def _count_once(size: Size, network: NetworkTraits) -> int:
    """Count the tiles of one pass and of the surveys before it; a single tile needs none."""
    tiles = len(plan_tiles(*size, network.tile, network.overlap))
    return tiles * (1 + network.surveys) if tiles > 1 else tiles


def _rounded(numerator: int, denominator: int) -> int:
    """Divide, round halves up, and keep at least 1."""
    return max(1, (2 * numerator + denominator) // (2 * denominator))
