"""What commands and buttons work with, and how they reach it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import discord

from bot.delivery import MessageBuilder, ResultDelivery
from bot.delivery.history_builder import HistoryBuilder
from bot.dispatcher import Dispatcher
from bot.guilds.editor import GuildSettingsEditor
from bot.guilds.member_preferences import MemberSwitches, StyleStore
from bot.guilds.policy import GuildPolicy
from bot.moderation.cases import CaseService
from bot.moderation.nsfw_process import NsfwDetector
from bot.page.server import PageServer
from bot.submission import JobSubmitter
from bot.uploads.pool import DecoderPool
from inference.api.workers import WorkerPool
from storage.blobs import BlobStore
from storage.guilds import GuildStore
from storage.jobs import JobStore
from storage.moderation import ModerationStore
from storage.records import JobRecord


class RefusalViews(Protocol):
    """Which buttons stand under a refusal."""

    def view_for_refused(self, record: JobRecord, /) -> discord.ui.View:
        """Return the ways out of a job that could not be done as asked."""
        ...


@dataclass(frozen=True)
class Services:
    """All that a running bot consists of, the Discord client aside."""

    jobs: JobStore
    blobs: BlobStore
    guild_store: GuildStore
    moderation_store: ModerationStore
    workers: WorkerPool
    policy: GuildPolicy
    settings_editor: GuildSettingsEditor
    styles: StyleStore
    member_switches: MemberSwitches
    dispatcher: Dispatcher
    message_builder: MessageBuilder
    history: HistoryBuilder
    delivery: ResultDelivery
    submitter: JobSubmitter
    layouts: RefusalViews
    cases: CaseService
    decoders: DecoderPool
    detector: NsfwDetector
    #: Hosts that images in messages may be fetched from.
    image_hosts: tuple[str, ...]
    #: How long ended jobs are kept; 0 keeps them until somebody deletes them.
    keep_days: float
    #: Whether other machines compute, too, so that pictures lie on them meanwhile.
    has_nodes: bool
    #: The page to draw on; None where the host has none.
    page: PageServer | None = None


def services_of(interaction: discord.Interaction[Any]) -> Services:
    """Return the services of the bot that an interaction came to."""
    services: Services = interaction.client.services
    return services
