"""Whom the host serves: members and servers that it blocks or allows, and direct messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.errors import NotAllowed
from bot.guilds.context import RequestContext
from bot.guilds.settings import GuildSettings
from bot.i18n.message import gettext_noop
from storage.guilds import AccessEntry, AccessStore

MEMBER_KIND, SERVER_KIND = "member", "server"
ALLOW_RULE, BLOCK_RULE = "allow", "block"
MEMBER_BLOCKED_TEXT = gettext_noop(
    "Easel's keeper has blocked you, so nothing can be asked for. `/privacy show` and "
    "`/privacy forget` still work."
)
MEMBER_UNLISTED_TEXT = gettext_noop(
    "This Easel is for members whom its keeper has listed. Ask its keeper to add you."
)
SERVER_BLOCKED_TEXT = gettext_noop(
    "Easel's keeper has blocked this server, so nothing can be asked for here."
)
SERVER_UNLISTED_TEXT = gettext_noop(
    "This Easel is for servers that its keeper has listed. Ask its keeper to add this one."
)


@dataclass(frozen=True, kw_only=True)
class HostRules:
    """What the host set at the start."""

    #: Ids by kind and rule.
    listed_ids: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    #: Whether jobs may be asked for in direct messages.
    allows_direct: bool = True
    #: Ids of the members who may; empty for everyone.
    direct_members: frozenset[str] = frozenset()
    #: What holds in direct messages, as a server's settings would.
    direct_settings: GuildSettings = field(default_factory=GuildSettings)


class HostAccess:
    """Refuse whom the host does not serve, by its rules and by what its owners said since."""

    def __init__(self, store: AccessStore, rules: HostRules) -> None:
        self._store = store
        self.rules = rules
        #: What is stored, by kind and id; None until it was read.
        self._entries: dict[tuple[str, str], str] | None = None

    async def check_access(self, context: RequestContext) -> None:
        """Refuse a member, a server or a direct message that the host does not serve.

        Raises:
            NotAllowed: says by whom it was decided.
        """
        await self._refuse_unlisted(
            MEMBER_KIND,
            context.user_id,
            blocked_text=MEMBER_BLOCKED_TEXT,
            unlisted_text=MEMBER_UNLISTED_TEXT,
        )
        if context.guild_id is not None:
            await self._refuse_unlisted(
                SERVER_KIND,
                context.guild_id,
                blocked_text=SERVER_BLOCKED_TEXT,
                unlisted_text=SERVER_UNLISTED_TEXT,
            )
        elif not self.rules.allows_direct:
            raise NotAllowed(
                "This Easel is not used in direct messages. Ask on a server where it is."
            )
        elif self.rules.direct_members and context.user_id not in self.rules.direct_members:
            raise NotAllowed(
                "Only some members may use this Easel in direct messages. Ask on a server where "
                "it is."
            )

    async def listed_ids(self, kind: str, rule: str) -> frozenset[str]:
        """Return whom a rule holds for, by the environment or by an owner's word."""
        return self.rules.listed_ids.get((kind, rule), frozenset()) | {
            id
            for (entry_kind, id), entry_rule in (await self._stored_entries()).items()
            if (entry_kind, entry_rule) == (kind, rule)
        }

    async def set_rule(self, kind: str, id: str, rule: str, actor: str) -> None:
        """Block or allow a member or a server from now on, and after a restart."""
        entries = await self._stored_entries()
        await self._store.put_entry(AccessEntry(kind, id, rule), actor)
        entries[kind, id] = rule

    async def remove_rule(self, kind: str, id: str) -> bool:
        """Take an owner's word back; False where there was none."""
        entries = await self._stored_entries()
        was_stored = await self._store.delete_entry(kind, id)
        entries.pop((kind, id), None)
        return was_stored

    async def _refuse_unlisted(
        self, kind: str, id: str, *, blocked_text: str, unlisted_text: str
    ) -> None:
        if id in await self.listed_ids(kind, BLOCK_RULE):
            raise NotAllowed(blocked_text)
        allowed_ids = await self.listed_ids(kind, ALLOW_RULE)
        if allowed_ids and id not in allowed_ids:
            raise NotAllowed(unlisted_text)

    async def _stored_entries(self) -> dict[tuple[str, str], str]:
        if self._entries is None:
            self._entries = {
                (entry.kind, entry.id): entry.rule for entry in await self._store.list_entries()
            }
        return self._entries
