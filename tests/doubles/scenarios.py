"""What all scenarios of the bot have in common: every request is held to Discord's own schema, and
what members used is written down, so that nothing goes without a scenario.

The fixtures and the hook are imported by `tests/bot/conftest.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import discord
import pytest
from discord import app_commands
from discord.ext.commands.bot import BotBase
from simcord.http import router

from bot.client import EaselBot
from bot.commands.mentions import intent_parser, listener
from bot.views import PERSISTENT_BUTTONS
from bot.views.layouts import BUTTON_TYPES
from tests.doubles.discord_schema import DiscordSchema, Unavailable, fetched

LAST = "test_scenarios.py"
FOLDER = Path(__file__).parent.parent / "bot"


@dataclass
class Recorder:
    """What members did and what the bot sent, over all scenarios so far."""

    #: Method, path and body, until they are checked.
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    #: Full names of commands and menus that ran to their end.
    commands: set[str] = field(default_factory=set)
    #: Names of the classes of buttons that were pressed and selects that were used.
    buttons: set[str] = field(default_factory=set)
    #: Titles and names of the classes of forms that were sent in.
    forms: set[str] = field(default_factory=set)
    #: Kinds of wishes that replies were read as.
    wishes: set[str] = field(default_factory=set)
    #: How many scenarios there were: tests in which a member did something.
    scenarios: int = 0

    _shown: dict[str, discord.ui.Modal] = field(default_factory=dict)

    def sent(self, method: str, path: str, body: Any) -> None:
        """Write down a request."""
        self.requests.append((method, path, body))

    def shown(self, form: discord.ui.Modal) -> None:
        """Write down which form an id belongs to."""
        self._shown[form.custom_id] = form

    def happened(self, event: str, *about: Any) -> None:
        """Write down what a member did."""
        match event, about:
            case "app_command_completion", (_, command):
                self.commands.add(command.qualified_name)
            case "interaction", (discord.Interaction(data=data),):
                custom_id = str((data or {}).get("custom_id", ""))
                for button in PERSISTENT_BUTTONS:
                    if button.__discord_ui_compiled_template__.fullmatch(custom_id):
                        self.buttons.add(button.__name__)
                for verb in (data or {}).get("values", ()):
                    if custom_id.startswith("easel:more") and verb in BUTTON_TYPES:
                        self.buttons.add(BUTTON_TYPES[verb].__name__)
                if form := self._shown.get(custom_id):
                    self.forms |= {form.title, type(form).__name__}


class HeardGrammar:
    """The grammar of replies as the listener uses it, with what it understood written down."""

    def __init__(self, watch: Recorder) -> None:
        self._watch = watch

    def parse_intent(self, text: str) -> intent_parser.ReplyIntent:
        """Read a reply."""
        wish = intent_parser.parse_intent(text)
        self._watch.wishes.add(wish.kind)
        return wish

    def __getattr__(self, name: str) -> Any:
        return getattr(intent_parser, name)


RECORDER = pytest.StashKey[Recorder]()


@pytest.fixture(scope="session", autouse=True)
def recorder(pytestconfig: pytest.Config) -> Iterator[Recorder]:
    """Watch the simulated Discord for as long as the tests run."""
    watch = Recorder()
    pytestconfig.stash[RECORDER] = watch
    dispatch, tell = router.dispatch, BotBase.dispatch
    send_modal = discord.InteractionResponse.send_modal

    def dispatched(backend: Any, method: str, path: str, **more: Any) -> Any:
        watch.sent(method, path, more.get("json"))
        return dispatch(backend, method, path, **more)

    def told(bot: Any, event: str, /, *about: Any, **more: Any) -> None:
        watch.happened(event, *about)
        tell(bot, event, *about, **more)

    async def opened(response: Any, modal: discord.ui.Modal) -> Any:
        watch.shown(modal)
        return await send_modal(response, modal)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(router, "dispatch", dispatched)
        patch.setattr(BotBase, "dispatch", told)
        patch.setattr(discord.InteractionResponse, "send_modal", opened)
        patch.setattr(listener, "intent_parser", HeardGrammar(watch))
        for kind in (app_commands.Command, app_commands.Group, app_commands.ContextMenu):
            patch.setattr(kind, "get_translated_payload", _once(kind.get_translated_payload))
        yield watch


def _once(translated: Any) -> Any:
    """Translate each command for the first bot only, which is held to the schema in all languages.

    Later bots publish the same in English, which is less to read back.
    """
    kept: dict[str, dict[str, Any]] = {}
    in_english: dict[str, dict[str, Any]] = {}

    async def payload(command: Any, tree: Any, *how: Any) -> dict[str, Any]:
        name = command.qualified_name
        if name not in kept:
            kept[name] = await translated(command, tree, *how)
            return kept[name]
        if not isinstance(tree.client, EaselBot):  # no easel: whoever looks at the words themselves
            return kept[name]
        if name not in in_english:
            in_english[name] = _in_english(kept[name])
        return in_english[name]

    return payload


class Shared(dict[str, Any]):
    """What nobody changes, so that the simulated Discord's log need not hold a copy of it."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Shared:
        return self


def _in_english(part: Any) -> Any:
    if isinstance(part, dict):
        kept = {k: _in_english(v) for k, v in part.items() if not k.endswith("_localizations")}
        return Shared(kept)
    return [_in_english(one) for one in part] if isinstance(part, list) else part


@pytest.fixture(scope="session")
def discord_schema(pytestconfig: pytest.Config) -> DiscordSchema | str:
    """Give Discord's schema, or the reason why it cannot be had here."""
    cache = getattr(pytestconfig, "cache", None)
    if cache is None:
        return "pytest runs without its cache, in which the schema is kept"
    try:
        return fetched(cache.mkdir("discord"))
    except Unavailable as error:
        return str(error)


@pytest.fixture(autouse=True)
def hold_the_schema(recorder: Recorder, discord_schema: DiscordSchema | str) -> Iterator[None]:
    """Hold every request of a test to Discord's schema."""
    recorder.requests.clear()
    yield
    sent = recorder.requests[:]
    recorder.scenarios += any(path.startswith("/interactions") for _, path, _ in sent)
    if isinstance(discord_schema, DiscordSchema):
        findings = [found for request in sent for found in discord_schema.findings(*request)]
        assert not findings, "\n" + "\n".join(dict.fromkeys(findings))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the count of scenarios come last."""
    items.sort(key=lambda item: item.path.name == LAST)


def are_all_here(session: pytest.Session) -> bool:
    """Whether every scenario takes part in this run, and in this process."""
    files = {path for path in FOLDER.rglob("test_*.py") if FOLDER / "intake" not in path.parents}
    chosen = {item.path for item in session.items}
    narrowed = session.config.option.keyword or session.config.option.markexpr
    return files <= chosen and not narrowed and not hasattr(session.config, "workerinput")
