"""Links to the page: signed, for one member and one purpose, and over after thirty minutes.

What a link stands for is kept here, in memory; the link itself says nothing but its number. It goes
behind the `#` of the address, which browsers send to no server and name in no `Referer`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.errors import LinkRefused
from bot.guilds.context import RequestContext
from bot.i18n.message import gettext_noop

LINK_LIFE_SECONDS = 1800.0  # seconds
MAX_MEMBER_LINKS = 12  # links of one member that are kept; a new one drops the oldest
MAX_LINKS = 4096  # links of all members that are kept
ID_BYTES, SIGNATURE_BYTES = 12, 18  # bytes: whole characters of base64
MAX_TOKEN_CHARACTERS = 100  # characters; what is longer is no link of ours

UNKNOWN_LINK_TEXT = gettext_noop(
    "This link is not valid: it is no link of this Easel's, or older than its last start. Ask for "
    "a new one in Discord."
)
EXPIRED_LINK_TEXT = gettext_noop(
    "This link has ended: it is valid for thirty minutes. Ask for a new one in Discord."
)
USED_LINK_TEXT = gettext_noop(
    "This link was used already, and each works once. Ask for a new one in Discord."
)


class LinkPurpose(StrEnum):
    """What a link opens."""

    DRAW = "draw"
    GALLERY = "gallery"


class LinkState(StrEnum):
    """How far a link is used up."""

    OPEN = "open"
    IN_USE = "busy"
    USED = "used"


@dataclass(frozen=True, kw_only=True)
class PageVisit:
    """Who comes to the page, from where in Discord, and what for."""

    #: Who asked for the link, where and as what.
    context: RequestContext
    channel_id: int
    guild_id: int | None
    application_id: int
    #: The token of the interaction that asked, with which it can still be answered for a while.
    interaction_token: str
    #: When it asked: an aware time.
    asked_at: datetime
    #: Bytes of one file that may be sent in answer.
    file_limit: int
    #: The job whose picture is drawn on; empty in the gallery.
    job_id: str = ""
    #: The picture's key; empty in the gallery.
    image_key: str = ""


@dataclass
class PageLink:
    """A link that was given out."""

    id: str
    purpose: LinkPurpose
    visit: PageVisit
    #: When it ends, by the clock of `PageLinks`.
    ends_at: float
    state: LinkState = LinkState.OPEN
    #: What the browser that opened it shows from then on; empty before.
    session: str = ""


@dataclass
class PageLinks:
    """Gives links out and knows them again."""

    #: Seconds that only ever grow.
    clock: Callable[[], float] = time.monotonic
    _secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    #: By their ids, the oldest first.
    _links: dict[str, PageLink] = field(default_factory=dict, repr=False)

    def issue_token(self, purpose: LinkPurpose, visit: PageVisit) -> str:
        """Make a link for a member and return its token, which goes behind the page's `#`."""
        self._drop_old_links(visit.context.user_id)
        link_id = secrets.token_urlsafe(ID_BYTES)
        link = PageLink(link_id, purpose, visit, self.clock() + LINK_LIFE_SECONDS)
        self._links[link_id] = link
        return f"{link_id}.{self._sign_link(link)}"

    def find_link(self, token: str, purpose: LinkPurpose) -> PageLink:
        """Return the link that a token stands for, used or not.

        Raises:
            LinkRefused: it is forged, of another Easel or purpose, or has ended.
        """
        link_id, _, signature = token[:MAX_TOKEN_CHARACTERS].partition(".")
        link = self._links.get(link_id)
        if link is None or link.purpose is not purpose:
            raise LinkRefused(UNKNOWN_LINK_TEXT)
        if not hmac.compare_digest(signature.encode(), self._sign_link(link).encode()):
            raise LinkRefused(UNKNOWN_LINK_TEXT)
        if self.clock() >= link.ends_at:
            raise LinkRefused(EXPIRED_LINK_TEXT)
        return link

    def find_unused(self, token: str, purpose: LinkPurpose) -> PageLink:
        """Return a link that can still be used.

        Raises:
            LinkRefused: as in `find_link`, or it was used.
        """
        link = self.find_link(token, purpose)
        if link.state is not LinkState.OPEN:
            raise LinkRefused(USED_LINK_TEXT)
        return link

    def open_session(self, token: str, session: str) -> PageLink:
        """Return a link that one browser alone may go on with: the one that opened it first.

        Raises:
            LinkRefused: as in `find_link`, or another browser opened it.
        """
        link = self.find_link(token, LinkPurpose.GALLERY)
        if not link.session:
            link.session = secrets.token_urlsafe(ID_BYTES)
        elif not hmac.compare_digest(session.encode(), link.session.encode()):
            raise LinkRefused(USED_LINK_TEXT)
        return link

    @contextmanager
    def use_link(self, token: str, purpose: LinkPurpose) -> Iterator[PageLink]:
        """Use a link up; where the block fails it can be used once more.

        Raises:
            LinkRefused: as in `find_unused`, or it is in use.
        """
        link = self.find_unused(token, purpose)
        link.state = LinkState.IN_USE
        try:
            yield link
        except BaseException:
            link.state = LinkState.OPEN
            raise
        link.state = LinkState.USED

    def _drop_old_links(self, user_id: str) -> None:
        # An ended link stays for a while, so that it can be said that it has ended.
        forget_before = self.clock() - LINK_LIFE_SECONDS
        ids = list(self._links)
        own_ids = [id for id in ids if self._links[id].visit.context.user_id == user_id]
        expired_ids = [id for id in ids if self._links[id].ends_at < forget_before]
        surplus_ids = ids[: max(0, len(ids) - MAX_LINKS + 1)]
        for id in {*expired_ids, *surplus_ids, *own_ids[: -MAX_MEMBER_LINKS + 1]}:
            del self._links[id]

    def _sign_link(self, link: PageLink) -> str:
        words = f"{link.purpose}.{link.id}.{link.visit.context.user_id}.{link.ends_at!r}"
        digest = hmac.digest(self._secret, words.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:SIGNATURE_BYTES]).decode()
