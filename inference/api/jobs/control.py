"""Holding a picture to a map of another one: the options of the jobs that ControlNets act in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

from inference.api.errors import JobError
from inference.api.jobs.base import DenoisingJob, choice_field, number_field, text_field

if TYPE_CHECKING:
    from inference.api.messages import ModelInfo

#: The kinds, as `ModelInfo.kind`, of networks that hold a picture to a map of another, and of those
#: that make such a map, whose names are the maps'.
CONTROL_KIND, PREPROCESSOR_KIND = "control", "preprocessor"
#: The picture's name among a job's.
CONTROL_IMAGE = "control"
#: What is made of the picture: as the network's kind wants it, or nothing, for it is a map already.
AUTOMATIC_MAP, READY_MAP = "automatic", "none"
#: Maps that are made of a picture; depth by a network that few workers have.
DEPTH_MAP = "depth"
MADE_MAPS = ("canny", "lineart", DEPTH_MAP, "tile")
#: Kinds of maps that networks are made for.
MAP_KINDS = (
    *("canny", "lineart", "depth", "pose", "tile", "scribble", "softedge", "mlsd", "normal"),
    *("segmentation", "inpaint", "shuffle", "instruct", "brightness"),
)
#: Kinds that a union draws under another's number: thin lines, thick lines.
UNION_ALIASES: Mapping[str, str] = {"lineart": "canny", "mlsd": "canny", "scribble": "softedge"}


@dataclass(frozen=True, kw_only=True)
class ControlledJob(DenoisingJob):
    """The settings of jobs that a ControlNet may hold."""

    optional_images: ClassVar[tuple[str, ...]] = (CONTROL_IMAGE,)

    control_model: str = text_field(
        "", 100, "ControlNet: the network that holds the picture; empty for the kind's first"
    )
    control_kind: str = choice_field(
        AUTOMATIC_MAP,
        (AUTOMATIC_MAP, READY_MAP, *MADE_MAPS),
        "Preprocessor: what is made of the control picture; none if it is a map already",
    )
    control_type: str = choice_field(
        AUTOMATIC_MAP,
        (AUTOMATIC_MAP, *MAP_KINDS),
        "Control type: the kind of a ready map, for a ControlNet of several kinds",
    )
    control_strength: float = number_field(
        1.0, 0.0, 2.0, "Control weight: how strongly the ControlNet holds the picture"
    )
    control_begin: float = number_field(
        0.0, 0.0, 1.0, "Starting control step: the share of the steps from which it holds"
    )
    control_end: float = number_field(
        1.0, 0.0, 1.0, "Ending control step: the share of the steps up to which it holds"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.control_begin > self.control_end:
            raise JobError("control_begin", "control.window")

    def check_images(self, given_images: Mapping[str, object]) -> None:
        """Refuse to go on without the pictures this kind needs.

        Raises:
            JobError: one is missing, or of no use.
        """
        super().check_images(given_images)
        # Where the job begins with a picture, that is held to itself unless another is given.
        if self.wants_control and not {CONTROL_IMAGE, "image"} & given_images.keys():
            raise JobError(CONTROL_IMAGE, "control.no_picture")

    @property
    def wants_control(self) -> bool:
        """Whether the job names a ControlNet or what it shall look at."""
        return bool(self.control_model) or (self.control_kind, self.control_type) != (
            AUTOMATIC_MAP,
            AUTOMATIC_MAP,
        )

    @property
    def has_control(self) -> bool:
        """Whether a ControlNet acts; one of no strength is as none."""
        return bool(self.control_model) and self.control_strength > 0

    def with_network(self, models: Iterable[ModelInfo], family: str, *, has_picture: bool) -> Self:
        """Name the ControlNet that is meant, where the job leaves it to the kind of map.

        `family` is the checkpoint's, empty where it is not known; `has_picture` says whether there
        is a control picture.

        Raises:
            JobError: there is none for that.
        """
        if self.control_model or not (has_picture or self.wants_control):
            return self
        kind = self.map_kind
        networks = [model for model in models if model.kind == CONTROL_KIND]
        fitting = [m for m in networks if not (m.family and family) or m.family == family]
        for model in fitting:
            if not kind or knows_kind(model, kind):
                return replace(self, control_model=model.name)
        if not fitting:
            raise JobError("control_model", "control.none")
        kinds = ", ".join(dict.fromkeys(model.about for model in fitting if model.about))
        raise JobError("control_kind", "control.no_kind", kind=kind, kinds=kinds)

    @property
    def map_kind(self) -> str:
        """The kind of map that the job names; empty where it leaves that to the network."""
        if self.control_type != AUTOMATIC_MAP:
            return self.control_type
        return self.control_kind if self.control_kind in MADE_MAPS else ""


def knows_kind(model: ModelInfo, kind: str) -> bool:
    """Whether a ControlNet was made for a kind of map, among others or alone."""
    kinds = model.about.split(", ")
    return kind in kinds or (len(kinds) > 1 and UNION_ALIASES.get(kind, kind) in kinds)
