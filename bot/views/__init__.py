"""Buttons that outlive the bot's process, the forms they open, and the rows they stand in."""

from bot.views.base import (
    CancelButton,
    ConfirmDeleteButton,
    DeleteButton,
    JobButton,
    RedeliverButton,
    RerunButton,
    ShowReasonButton,
)
from bot.views.description.prompts import (
    CaptionPromptButton,
    MixedPromptButton,
    StylePromptButton,
    TagsPromptButton,
    ThingSelect,
)
from bot.views.drawing import DrawMaskButton
from bot.views.history.actions import ContinueHereButton, StarButton, UnstarButton
from bot.views.history.pages import HistoryPageButton
from bot.views.history.selection import JobSelect
from bot.views.layouts import (
    JobLayouts,
    MoreSelect,
    view_for_outbox,
)
from bot.views.mask_grid import (
    CellSelect,
    InvertMaskButton,
    MaskGridButton,
    RepaintMaskButton,
    SegmentBackgroundButton,
    SegmentFaceButton,
    SegmentSubjectButton,
)
from bot.views.moderation import CaseButton, ReleaseButton, RemoveButton, ReportButton
from bot.views.outpaint import OutpaintButton, OutpaintMenuButton
from bot.views.results import (
    CompareButton,
    EditButton,
    InstructButton,
    InterrogateButton,
    OriginalButton,
    RedrawButton,
    RepairSeamButton,
    RestoreButton,
    ShowOneButton,
    ShowParametersButton,
    UpscaleButton,
    UseAsPromptButton,
    VaryStrongButton,
    VarySubtleButton,
)
from bot.views.settings import OpenModalButton, PageSelect, SettingSelect

PERSISTENT_BUTTONS: tuple[
    type[
        JobButton
        | CellSelect
        | JobSelect
        | HistoryPageButton
        | ThingSelect
        | CaseButton
        | MoreSelect
    ],
    ...,
] = (
    ConfirmDeleteButton,
    CompareButton,
    OriginalButton,
    MoreSelect,
    RerunButton,
    DeleteButton,
    CancelButton,
    RedeliverButton,
    ShowReasonButton,
    ShowOneButton,
    VarySubtleButton,
    VaryStrongButton,
    EditButton,
    InstructButton,
    UpscaleButton,
    RedrawButton,
    RestoreButton,
    InterrogateButton,
    ShowParametersButton,
    UseAsPromptButton,
    CaptionPromptButton,
    StylePromptButton,
    TagsPromptButton,
    MixedPromptButton,
    ThingSelect,
    MaskGridButton,
    DrawMaskButton,
    RepairSeamButton,
    OutpaintMenuButton,
    OutpaintButton,
    CellSelect,
    InvertMaskButton,
    SegmentSubjectButton,
    SegmentBackgroundButton,
    SegmentFaceButton,
    RepaintMaskButton,
    JobSelect,
    HistoryPageButton,
    ContinueHereButton,
    StarButton,
    UnstarButton,
    ReportButton,
    ReleaseButton,
    RemoveButton,
)
"""Every button, so that one process can answer those of an earlier one."""

PANEL_ITEMS = (PageSelect, SettingSelect, OpenModalButton)
"""What the settings panel is made of."""

__all__ = [
    "PANEL_ITEMS",
    "PERSISTENT_BUTTONS",
    "JobLayouts",
    "view_for_outbox",
]
