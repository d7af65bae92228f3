"""What operations ask of the engine, and what they get back: plain values, no device in sight.

An operation is a coroutine over one job. It yields a `WorkRequest`, the engine does the works in it
(each in its own time, batched with other jobs' works), and sends their results back in the same
order.
What the coroutine returns is the job's `JobResult`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.api.messages import DescribedPhrase
from inference.api.notices import Notice
from inference.images.metadata import encode_png
from inference.model_files.files import DIFFUSION, Weights

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL import Image


@dataclass(frozen=True, kw_only=True, eq=False)
class ControlWork:
    """Hold a picture to a map of another one by a ControlNet."""

    network: str
    #: Which of its kinds of maps, where the network knows several.
    kind: str = ""
    #: The map: RGB of the picture's size.
    image: Image.Image
    #: How much of what the network says is added.
    strength: float = 1.0
    #: The shares of the steps between which it is asked.
    begin: float = 0.0
    end: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class DenoiseWork:
    """Denoise one picture: the row of a batch."""

    model: str
    #: In pixels, multiples of 8.
    width: int
    #: In pixels, multiples of 8.
    height: int
    prompt: str
    negative_prompt: str
    steps: int
    guidance: float
    sampler: str
    schedule: str
    seed: int
    #: Whose random numbers: `CPU` or `NV`.
    rng: str = "CPU"
    variation_seed: int = 0
    variation_strength: float = 0.0
    #: Added to the seed for all noise but the first (ENSD).
    seed_delta: int = 0
    #: Size in pixels of the picture whose first noise fills the centre of this one's.
    seed_size: tuple[int, int] | None = None
    guidance_rescale: float = 0.0
    #: How closely a checkpoint that edits by instructions keeps to the picture.
    image_guidance: float = 1.5
    extra_noise: float = 0.0
    #: The checkpoint that goes on from a share of the way, as training steps count it; empty for
    #: none.
    refiner: str = ""
    refiner_switch: float = 0.8
    #: What the prompts were drawn from; empty where nothing was to be drawn.
    template: str = ""
    negative_template: str = ""
    clip_skip: int = 1
    #: Even where the family has a layer of its own.
    force_clip_skip: bool = False
    emphasis: str = "Original"
    #: Where to start: RGB of width x height; None starts from noise alone.
    image: Image.Image | None = None
    #: Or a latent [C, height/8, width/8] float32 in the network's own scale.
    latent: torch.Tensor | None = None
    #: Pictures that an editing checkpoint looks at, RGB with sides that are multiples of 16.
    references: tuple[Image.Image, ...] = ()
    strength: float | None = None
    exact_steps: bool = True
    #: Calls that the first pass of a hires fix spread its prompts over, where this is the second.
    base_steps: int | None = None
    noise_multiplier: float = 1.0
    #: Where to change, [height/8, width/8] float32 in 0..1; None changes everything.
    mask: np.ndarray | None = None
    #: The same at full size, 8-bit "L": inpainting checkpoints look at it.
    full_mask: Image.Image | None = None
    mask_weight: float = 1.0
    #: What lies under the mask at first: `picture`, `noise` or `nothing`.
    masked_start: str = "picture"
    #: Soft inpainting: blend along the mask's grey instead of cutting.
    soft: bool = False
    #: What the picture is held to besides.
    controls: tuple[ControlWork, ...] = ()
    #: The prompt of the negative side acts only when guidance is above 1.
    decode: bool = True
    #: Its number among the parts of the job, when its picture alone is what the job goes on from:
    #: it is kept, and a later attempt is given that picture instead of painting it again.
    part: int | None = None

    @property
    def weights(self) -> Weights:
        """The checkpoint."""
        return (DIFFUSION, self.model)

    @property
    def units(self) -> int:
        """Steps of progress it stands for."""
        return self.steps


@dataclass(frozen=True, kw_only=True, eq=False)
class DenoiseResult:
    """A finished row."""

    #: RGB of the asked size; None when only the latent was asked for.
    image: Image.Image | None
    #: [C, h, w] float32 in the network's scale, on the CPU.
    latent: torch.Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class AuxWork:
    """A piece of work that is not denoising: a tile, a caption, a ranking.

    Slices of equal lane run together in one call, whoever asked for them.
    """

    #: Who does it and what may share a call: `("upscale", "x4plus")`.
    queue_key: Hashable
    #: What the lane's hand takes: a tensor, a picture.
    payload: Any
    #: The network that the hand needs; None for work without one.
    weights: Weights | None = None
    #: Steps of progress it stands for.
    units: int = 1
    #: Whether slices of its lane differ in what they ask of the network: each is then counted.
    has_varying_cost: bool = False
    #: Whether it is for the worker's own good, so that no job is charged for it.
    is_uncharged: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class SideWork:
    """Work for the processor alone, done in threads beside the steps: no torch in it."""

    call: Callable[[], Any]
    #: Steps of progress it stands for.
    units: int = 0

    @property
    def weights(self) -> None:
        """No network."""
        return None


Work = DenoiseWork | AuxWork | SideWork


@dataclass(frozen=True, kw_only=True, eq=False)
class WorkRequest:
    """Works to do now, and an estimate of the progress units that will follow them."""

    works: tuple[Work, ...]
    #: None: as many as were announced before.
    later_units: int | None = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class OutputImage:
    """A picture of the answer."""

    image: Image.Image
    #: `result`, `frame`, `sheet`, `mask`.
    role: str = "result"
    seed: int | None = None
    #: The `parameters` text that goes into its file.
    infotext: str = ""
    #: Ready-made file bytes with their media type, for what is no single picture (an animation).
    encoded_file: tuple[bytes, str] | None = None

    def encode_file(self) -> tuple[bytes, str]:
        """Give its file's bytes and media type: PNG, unless they are ready-made."""
        return self.encoded_file or (encode_png(self.image, self.infotext), "image/png")


@dataclass(frozen=True, kw_only=True, eq=False)
class JobResult:
    """What a job came to."""

    images: tuple[OutputImage, ...] = ()
    text: str = ""
    #: The parts of a description.
    phrases: tuple[DescribedPhrase, ...] = ()
    notes: tuple[Notice, ...] = ()
    #: The mask along whose edge the pictures show a seam, if they do.
    seams: tuple[OutputImage, ...] = ()


class StopRequested(Exception):
    """Thrown into an operation whose owner stopped it.

    An operation that has something to show by then catches it and returns that as its outcome; it
    may ask for nothing more.
    """


#: A job's coroutine.
Operation = Generator[WorkRequest, list[Any], JobResult]
