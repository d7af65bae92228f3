"""An inpainting as its stages carry it: what is asked, where, and the part worked on for it."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from inference.api.jobs import InpaintJob
from inference.api.notices import Notice
from inference.images.compositing import paste_back
from inference.images.regions import Box, ResolutionGain, Size
from inference.images.resize import ResizeMode, fit_image


@dataclass(frozen=True, eq=False)
class WorkArea:
    """A part of a picture at the size it is worked on, and where its repaint goes."""

    #: `RGB` and blurred mask `L`, both of the size worked on.
    image: Image.Image
    mask: Image.Image
    #: What the repaint is laid into, `RGB`, and of its size: the overlay mask and the mask as it
    #: was before blurring, `L`.
    original: Image.Image
    overlay_mask: Image.Image
    hard_mask: Image.Image
    #: The part of the original that is worked on.
    box: Box

    @property
    def size(self) -> Size:
        """The size worked on."""
        return self.image.size

    @property
    def resolution_gain(self) -> ResolutionGain:
        """How much larger it is worked on than it is in the original."""
        return ResolutionGain(self.box, self.size)

    def put_back(self, patch: Image.Image, overlay_mask: Image.Image | None = None) -> Image.Image:
        """Lay a repaint into the original under the overlay mask; `RGB`, the original's size."""
        return paste_back(patch, self.original, overlay_mask or self.overlay_mask, self.box)

    def place_mask(self, mask: Image.Image) -> Image.Image:
        """Scale a mask of the size worked on into its place, black around it; `L`."""
        left, upper, right, lower = self.box
        full_mask = Image.new("L", self.original.size, 0)
        scaled_mask = fit_image(mask, right - left, lower - upper, ResizeMode.CROP_AND_RESIZE)
        full_mask.paste(scaled_mask, (left, upper))
        return full_mask


@dataclass(frozen=True, eq=False)
class MaskedJob:
    """A job, its source and where that is to change."""

    job: InpaintJob
    #: `RGB`; transparent pixels show the colours that were behind them.
    source: Image.Image
    #: `L`, the source's size, not yet blurred; white changes.
    mask: Image.Image
    notes: tuple[Notice, ...]
    #: What is worked on: the whole source as it is, until another area is chosen.
    area: WorkArea

    @property
    def part_of_whole(self) -> tuple[Size, Box] | None:
        """The source's size and the part of it that is worked on; None where all of it is."""
        whole = self.area.original
        is_part = whole is self.source and self.area.box != (0, 0, *whole.size)
        return (whole.size, self.area.box) if is_part else None


def make_masked_job(
    job: InpaintJob, source: Image.Image, mask: Image.Image, notes: tuple[Notice, ...] = ()
) -> MaskedJob:
    """Make a masked job that works on the whole source."""
    area = WorkArea(source, mask, source, mask, mask, (0, 0, *source.size))
    return MaskedJob(job, source, mask, notes, area)
