"""The pages of `/history`: nine thumbnails, a select to pick one, older and newer."""

from __future__ import annotations

import re
from typing import Any, Self

import discord

from bot import messages
from bot.delivery.history_builder import HistoryPage
from bot.delivery.protocols import ControlRow
from bot.i18n import translate
from bot.messages.error_replies import handle_errors
from bot.requests.reply_target import DEFAULT_COLOUR, build_card
from bot.services import services_of
from bot.views.drawing import make_gallery_button
from bot.views.history.selection import JobSelect


class HistoryPageButton(
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=r"easel:history\.(?P<order>star\.)?(?P<page>\d{1,6})",
):
    """Another page, in the place of this one."""

    def __init__(
        self, page: int, label: str = "", emoji: str | None = None, *, starred_first: bool = False
    ) -> None:
        order = "star." * starred_first
        super().__init__(
            discord.ui.Button(label=label, emoji=emoji, custom_id=f"easel:history.{order}{page}")
        )
        self.page, self.starred_first = page, starred_first

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction[Any], item: Any, match: re.Match[str], /
    ) -> Self:
        """Read the page's place and order back."""
        return cls(int(match["page"]), "…", starred_first=bool(match["order"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Turn to it."""
        async with handle_errors(interaction):
            await interaction.response.defer()
            page = await _build_page(interaction, self.page, starred_first=self.starred_first)
            await interaction.edit_original_response(
                attachments=[file.discord_file() for file in page.thumbnails],
                view=_build_layout(interaction, page),
            )


async def send_history(interaction: discord.Interaction[Any]) -> None:
    """Show a member their newest results, for them alone."""
    await interaction.response.defer(ephemeral=True, thinking=True)
    page = await _build_page(interaction, 0)
    if not page.records:
        words = translate("You have made nothing yet. `/help` shows how to begin.")
        await interaction.followup.send(words, ephemeral=True)
        return
    await interaction.followup.send(
        files=[file.discord_file() for file in page.thumbnails],
        view=_build_layout(interaction, page),
        ephemeral=True,
    )


async def _build_page(
    interaction: discord.Interaction[Any], number: int, *, starred_first: bool = False
) -> HistoryPage:
    history = services_of(interaction).history
    return await history.build_page(str(interaction.user.id), number, starred_first=starred_first)


def _build_layout(
    interaction: discord.Interaction[Any], page: HistoryPage
) -> discord.ui.LayoutView:
    """Lay a page out, which may have become empty since it was offered."""
    if not page.records:
        return build_card(translate("You have made nothing yet. `/help` shows how to begin."))
    order = page.starred_first
    buttons: list[discord.ui.Item[Any]] = []
    if page.number > 0:
        newer = translate("Newer")
        buttons.append(HistoryPageButton(page.number - 1, newer, "◀️", starred_first=order))
    if not page.is_last:
        older = translate("Older")
        buttons.append(HistoryPageButton(page.number + 1, older, "▶️", starred_first=order))
    other_order = translate("Newest first") if order else translate("Starred first")
    buttons.append(HistoryPageButton(0, other_order, "⭐", starred_first=not order))
    if (gallery_button := make_gallery_button(interaction)) is not None:
        buttons.append(gallery_button)
    choices: list[discord.ui.Item[Any]] = [JobSelect(page.records)]
    rows: list[ControlRow] = [discord.ui.ActionRow(*items) for items in (choices, buttons) if items]
    words = messages.history_list(page.records, page.first_number, page.total, page.starred_ids)
    files = [file.card_file() for file in page.thumbnails]
    return build_card(words, rows, files, DEFAULT_COLOUR)
