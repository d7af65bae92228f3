"""Every sentence of the bot's own, read off the source by the marks it carries."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from bot import errors

ROOT = Path(__file__).parents[3]
BOT = ROOT / "bot"
MARKS = frozenset({"translate", "gettext_noop", "TranslatableMessage", "translate_plural"})
ERRORS = frozenset(
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.BotError)
)
NAME = re.compile(r"[a-z_]*")
"""What a call has for a setting or an option, which is no sentence."""
KEEPERS = (
    "bot/cli/",
    "bot/app.py",
    "bot/settings.py",
    "bot/support/version.py",
    "bot/worker_plan.py",
    "bot/hosting/",
    "bot/support/health.py",
    "bot/support/invitation.py",
    "bot/support/paths.py",
)
"""What the host reads, who has no Discord to tell a language."""


def sources() -> list[Path]:
    return [p for p in sorted(BOT.rglob("*.py")) if not is_the_keepers(p)]


def is_the_keepers(path: Path) -> bool:
    return path.relative_to(ROOT).as_posix().startswith(KEEPERS)


def sentences() -> set[str]:
    """All that is marked, and what errors without words of their own say."""
    found = {words for path in sources() for words in _marked(ast.parse(path.read_text("utf-8")))}
    kinds = (kind for name, kind in vars(errors).items() if name in ERRORS)
    speaking = [
        kind
        for kind in kinds
        if issubclass(kind, errors.UserError) and kind.__init__ is errors.BotError.__init__
    ]
    return found | {inspect.getdoc(kind) or "" for kind in speaking}


def _marked(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or called(node) not in MARKS | ERRORS | {"__init__"}:
            continue
        given = [one.value for one in node.args if isinstance(one, ast.Constant)]
        for words in given:
            if isinstance(words, str) and (called(node) in MARKS or not NAME.fullmatch(words)):
                yield words


def called(call: ast.Call) -> str:
    """Name what is called, without where it is found."""
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


READS_LIKE_WORDS = re.compile(r"[A-Za-z]{2,}[,;:]? [A-Za-z]{2,}|^[A-Z][a-z]{2,}")
QUIET_CALLS = frozenset(
    {"debug", "info", "warning", "error", "exception", "compile", "cast", "create_task"}
)
"""Calls whose words go to the log, or are no words."""
QUIET_PLACES = (
    "bot/dispatcher/",
    "bot/retention.py",
    "bot/uploads/",
    "bot/support/loops.py",
    "bot/support/owner_alerts.py",
    "bot/i18n/",
    "bot/support/child_process.py",
    "bot/support/logging.py",
    "bot/uploads/metadata.py",
    "bot/support/prometheus.py",
    "bot/filters/",
    "bot/moderation/nsfw_process.py",
    "bot/moderation/nsfw_screen.py",
)
"""What speaks to nobody, or to the host alone."""


def unmarked(known: set[str]) -> Iterator[str]:
    """Yield literals that read like words for people and that no mark, log or table explains."""
    for path in sources():
        place = path.relative_to(ROOT).as_posix()
        if place.startswith(QUIET_PLACES):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        excused = {id(node) for quiet in _quiet(tree) for node in ast.walk(quiet)}
        for node in ast.walk(tree):
            if id(node) in excused or not isinstance(node, ast.Constant):
                continue
            words = node.value
            if isinstance(words, str) and words not in known and READS_LIKE_WORDS.search(words):
                yield f"{place}:{node.lineno}: {words}"


def _quiet(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield what may hold words: docstrings, marked calls, logs, and errors that are no answers."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant()):
                yield node
            case ast.Call() if called(node) in MARKS | ERRORS | QUIET_CALLS | {"__init__"}:
                yield node
            case ast.Raise(exc=ast.Call() as call) if called(call) not in ERRORS:
                yield node
            case ast.Assign(targets=[ast.Name(id="__all__")]):
                yield node
            case ast.arg() | ast.AnnAssign():
                yield node.annotation or ast.Pass()
