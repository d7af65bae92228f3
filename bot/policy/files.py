"""A server's settings and styles as one YAML file that people can read, change and keep."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import yaml

from bot.errors import BadSetting, BadSettingsFile
from bot.policy.rules import changed, settable
from bot.sentences import Sentence, english

VERSION = 1
NO_STYLES: Mapping[str, Mapping[str, str]] = MappingProxyType({})
MAX_BYTES = 256 * 1024
HEAD = (
    "# What a server allows Easel to do. `/settings import` takes this file back as a whole:\n"
    "# what it leaves out is no longer set. Ids are Discord's own, in quotation marks. A file\n"
    "# without `styles` leaves those of the server as they are.\n"
)
KEYS = ("version", "settings", "styles")
WORDS = ("prompt", "negative_prompt")
MOST_STYLES = 50  # of one server
LONGEST_NAME, LONGEST_WORDS = 50, 2000  # characters of a style's, as the command for one takes


@dataclass(frozen=True)
class Taken:
    """What a file holds."""

    #: Every setting by name, as storage keeps it; None where the file has none.
    settings: dict[str, Any]
    #: Every style by name, with its words; None where the file says nothing of styles.
    styles: dict[str, dict[str, str]] | None = None


def write_file(
    settings: Mapping[str, Any], styles: Mapping[str, Mapping[str, str]] = NO_STYLES
) -> str:
    """Write what storage keeps of a server's settings; what other parts keep there is left out."""
    known = {name: settings[name] for name in settable() if name in settings}
    words = {name: {key: one[key] for key in WORDS if one[key]} for name, one in styles.items()}
    document = {"version": VERSION, "settings": known, "styles": words}
    return HEAD + yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def read_file(data: bytes) -> Taken:
    """Read a file to what storage keeps.

    Raises:
        BadSettingsFile: says everything that is wrong with it.
    """
    if len(data) > MAX_BYTES:
        raise BadSettingsFile([too_large(len(data))])
    document = _parsed(data)
    _check_version(document)
    settings = document.get("settings") or {}
    if not isinstance(settings, Mapping):
        raise BadSettingsFile([Sentence("“settings” must hold names with values")])
    problems = [
        Sentence("“{name}” is not known beside “version”, “settings” and “styles”", name=name)
        for name in document
        if name not in KEYS
    ]
    values: dict[str, Any] = dict.fromkeys(settable())
    for name, value in settings.items():
        try:
            values |= changed({str(name): value})
        except BadSetting as error:
            problems.append(error.problem)
    styles = _styles(document["styles"], problems) if "styles" in document else None
    if problems:
        raise BadSettingsFile(problems)
    return Taken(values, styles)


def _styles(given: Any, problems: list[Sentence]) -> dict[str, dict[str, str]]:
    """Read the styles, adding what is wrong to the problems."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        problems.append(Sentence("“styles” must hold names with a prompt or a negative_prompt"))
        return {}
    if len(given) > MOST_STYLES:
        words = english("“styles” holds {count}; at most {most} fit")
        problems.append(Sentence(words, count=len(given), most=MOST_STYLES))
    styles: dict[str, dict[str, str]] = {}
    seen: set[str] = set()
    for key, words in given.items():
        name = str(key).strip()
        if problem := _style_problem(name, words):
            problems.append(problem)
        elif name.casefold() in seen:
            problems.append(Sentence("the style “{name}” stands there twice", name=name))
        else:
            seen.add(name.casefold())
            styles[name] = {part: str(words.get(part) or "") for part in WORDS}
    return styles


def _style_problem(name: str, words: Any) -> Sentence | None:
    """Say what is wrong with one style."""
    shown = name[:LONGEST_NAME]
    if not 0 < len(name) <= LONGEST_NAME:
        return Sentence(
            "the style “{name}” needs a name of 1 to {most} characters",
            name=shown,
            most=LONGEST_NAME,
        )
    if not isinstance(words, Mapping) or set(words) - {*WORDS}:
        return Sentence("the style “{name}” must hold prompt, negative_prompt or both", name=shown)
    texts = [one for one in words.values() if one is not None]
    if not all(isinstance(one, str) for one in texts) or not any(map(str.strip, texts)):
        return Sentence("the style “{name}” needs words", name=shown)
    if max(map(len, texts)) > LONGEST_WORDS:
        return Sentence(
            "the style “{name}” has more than {most} characters", name=shown, most=LONGEST_WORDS
        )
    return None


def too_large(size: int) -> Sentence:
    """Say that a file has too many bytes."""
    return Sentence("It has {size} bytes; at most {most} are read", size=size, most=MAX_BYTES)


def _parsed(data: bytes) -> Mapping[str, Any]:
    try:
        document = yaml.load(data.decode("utf-8-sig"), Loader=_Strict)  # noqa: S506 - a SafeLoader
    except UnicodeDecodeError as error:
        raise BadSettingsFile([Sentence("It is no text in UTF-8")]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = "?" if mark is None else mark.line + 1
        raise BadSettingsFile(
            [Sentence("It is no YAML in line {line}: {problem}", line=line, problem=error.problem)]
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadSettingsFile([Sentence("It is no YAML that can be read")]) from error
    if not isinstance(document, Mapping):
        raise BadSettingsFile([Sentence("It must hold “version” and “settings”")])
    return document


def _check_version(document: Mapping[str, Any]) -> None:
    version = document.get("version")
    if isinstance(version, bool) or not isinstance(version, int):
        raise BadSettingsFile([Sentence("It must say “version: {version}”", version=VERSION)])
    if version > VERSION:
        raise BadSettingsFile(
            [
                Sentence(
                    "It was written by a newer Easel (version {version}; this one reads {read})",
                    version=version,
                    read=VERSION,
                )
            ]
        )
    if version != VERSION:
        raise BadSettingsFile(
            [
                Sentence(
                    "Its version is {version}; this Easel reads {read}",
                    version=version,
                    read=VERSION,
                )
            ]
        )


class _Strict(yaml.SafeLoader):
    """YAML without what makes a short file mean a long one, or one name two things."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases (*) are not read", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse a name that stands there twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"“{key.value}” stands there twice", key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)
