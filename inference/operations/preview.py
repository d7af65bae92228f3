"""Preview: where a picture would be repainted, shown before any network runs."""

from __future__ import annotations

from dataclasses import replace

from inference.engine.work import Ask, Made, Operation, Outcome
from inference.jobs import Inpaint, Preview
from inference.operations import sizes
from inference.operations.masking import Marked, mark
from inference.operations.segments import found_in
from inference.operations.studio import Pictures, Studio
from inference.operations.view import look
from inference.pictures import lettered
from inference.pictures import preview as overlay
from inference.pictures.fill import drop_alpha

ROLE = "preview"


def preview(job: Preview, pictures: Pictures, studio: Studio) -> Operation:
    """Draw the mask, or a lettered grid, over the picture; say what looks wrong with the mask."""
    yield Ask(works=())
    if job.show == "grid":
        picture = pictures["image"]
        sizes.check_source(picture)
        drawn = lettered.draw(picture if picture.mode == "RGB" else drop_alpha(picture))
        return Outcome(pictures=(Made(picture=drawn, role=ROLE),))
    asked = Inpaint(mask_shape=job.mask_shape, mask_mode=job.mask_mode)
    found = yield from found_in(pictures["image"], job.mask_shape)
    return _masked(asked, mark(asked, pictures, found), studio)


def _masked(asked: Inpaint, marked: Marked, studio: Studio) -> Outcome:
    natural = studio.library.natural_size(studio.library.resolve(""))
    view = look(asked, marked, natural)
    report = overlay.examine(marked.mask, view.size, blur=asked.mask_blur)
    close = look(replace(asked, area="only masked"), marked, natural)
    part = close.box != (0, 0, *marked.source.size)
    drawn = overlay.draw(marked.source, marked.mask, close.box if part else None)
    said = [f"{report.share:.0%} of the picture would be repainted."]
    if part:
        said.append(f"With “only masked”, the dashed box is worked on and renders at {close.gain}.")
    notes = (*said, *marked.notes, *(finding.words for finding in report.findings))
    return Outcome(pictures=(Made(picture=drawn, role=ROLE),), notes=notes)
