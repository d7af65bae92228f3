"""Everything that a button does is a command too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest_asyncio

from bot.views import PERSISTENT_BUTTONS
from bot.views.base import JobButton
from tests.bot.i18n.commands import GROUP, SUBCOMMAND, published

COMMANDS = {
    "RerunButton": ("again", "job"),
    "VarySubtleButton": ("again", "job", "vary"),
    "VaryStrongButton": ("again", "job", "vary"),
    "EditButton": ("again", "prompt", "negative_prompt", "strength", "steps", "guidance"),
    "ShowOneButton": ("history", "job", "picture"),
    "JobSelect": ("history", "job"),
    "HistoryPageButton": ("history",),
    "StarButton": ("history", "job", "star"),
    "UnstarButton": ("history", "job", "star"),
    "ContinueHereButton": ("history", "job", "picture", "here"),
    "RedeliverButton": ("history", "job"),
    "ShowParametersButton": ("history", "job", "parameters"),
    "DeleteButton": ("delete", "job"),
    "ConfirmDeleteButton": ("delete", "job"),
    "OriginalButton": ("history", "job", "picture"),
    "CompareButton": ("history", "job", "picture"),
    "CancelButton": ("cancel", "job"),
    "UpscaleButton": ("upscale", "image", "factor"),
    "RedrawButton": ("redraw", "image", "factor"),
    "InstructButton": ("edit", "image", "instruction"),
    "RestoreButton": ("upscale", "image", "factor", "restore_faces"),
    "InterrogateButton": ("interrogate", "image"),
    "CaptionPromptButton": ("img2img", "image", "prompt"),
    "StylePromptButton": ("img2img", "image", "prompt"),
    "TagsPromptButton": ("interrogate", "image", "method"),
    "MixedPromptButton": ("img2img", "image", "prompt"),
    "ThingSelect": ("mask preview", "image", "mask_shape"),
    "UseAsPromptButton": ("imagine", "prompt"),
    "OutpaintMenuButton": ("outpaint", "image"),
    "OutpaintButton": ("outpaint", "left", "right", "up", "down", "preset"),
    "MaskGridButton": ("mask grid", "image"),
    "DrawMaskButton": ("inpaint", "image", "mask", "prompt", "area", "masked_content", "mask_blur"),
    "CellSelect": ("mask preview", "mask_shape"),
    "InvertMaskButton": ("mask preview", "mask_mode"),
    "SegmentSubjectButton": ("mask preview", "mask_shape"),
    "SegmentBackgroundButton": ("mask preview", "mask_shape"),
    "SegmentFaceButton": ("mask preview", "mask_shape"),
    "RepaintMaskButton": ("inpaint", "mask", "mask_shape", "mask_mode", "prompt"),
    "RepairSeamButton": ("inpaint", "mask", "area", "strength"),
    "ReleaseButton": ("moderation release", "case"),
    "RemoveButton": ("moderation delete", "case"),
    "PageSelect": ("settings show",),
    "SettingSelect": ("settings show",),
    "OpenModalButton": ("settings show",),
}
"""Each button, the command that does the same, and the options that this takes."""
BUTTONS_ALONE = {"ReportButton", "ShowReasonButton", "MoreSelect"}
"""What points at the message that it stands under, so that a command could not know which."""


@pytest_asyncio.fixture
async def commands() -> dict[str, set[str]]:
    return {name: options for part in await published() for name, options in _typed(part)}


def _typed(part: dict[str, Any], before: str = "") -> Iterator[tuple[str, set[str]]]:
    name = f"{before} {part['name']}".strip()
    within = [o for o in part.get("options") or () if o["type"] in (SUBCOMMAND, GROUP)]
    for one in within:
        yield from _typed(one, name)
    if not within:
        yield name, {option["name"] for option in part.get("options") or ()}


def _leaves(button: type) -> Iterator[type]:
    kinds = button.__subclasses__()
    yield from (leaf for kind in kinds for leaf in _leaves(kind))
    if not kinds and button.__module__.startswith("bot."):
        yield button


def test_every_button_is_answered_after_a_restart():
    assert set(_leaves(JobButton)) - set(PERSISTENT_BUTTONS) == set()


async def test_every_button_has_a_command(commands):
    buttons = {button.__name__ for button in PERSISTENT_BUTTONS}
    assert buttons <= set(COMMANDS) | BUTTONS_ALONE
    for command, *options in COMMANDS.values():
        assert set(options) <= commands[command], command
