"""Buttons that outlive the bot's process, the forms they open, and the rows they stand in."""

from bot.views.base import JobButton, client_of
from bot.views.buttons import Again, Cancel, Delete, Show
from bot.views.cells import (
    Go,
    Grid,
    Invert,
    MarkBackground,
    MarkFace,
    MarkSubject,
    PickCells,
)
from bot.views.history import PickJob
from bot.views.moderation import CaseButton, Release, Remove, Report
from bot.views.outpaint import Arrows, Extend
from bot.views.results import (
    Describe,
    Edit,
    Enlarge,
    Parameters,
    Single,
    UseAsPrompt,
    VaryStrong,
    VarySubtle,
)
from bot.views.rows import for_ended, for_history, for_outbox, for_picture, for_waiting
from bot.views.seams import MendSeam
from bot.views.settings import Choose, OpenForm, PickPage

BUTTONS: tuple[type[JobButton | PickCells | PickJob | CaseButton], ...] = (
    Again,
    Delete,
    Cancel,
    Show,
    Single,
    VarySubtle,
    VaryStrong,
    Edit,
    Enlarge,
    Describe,
    Parameters,
    UseAsPrompt,
    Grid,
    MendSeam,
    Arrows,
    Extend,
    PickCells,
    Invert,
    MarkSubject,
    MarkBackground,
    MarkFace,
    Go,
    PickJob,
    Report,
    Release,
    Remove,
)
"""Every button, so that one process can answer those of an earlier one."""

PANEL = (PickPage, Choose, OpenForm)
"""What the settings panel is made of."""

__all__ = [
    "BUTTONS",
    "PANEL",
    "client_of",
    "for_ended",
    "for_history",
    "for_outbox",
    "for_picture",
    "for_waiting",
]
