"""A server's settings and styles as one YAML file that people can read, change and keep."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import yaml

from bot.errors import BadSetting, BadSettingsFile
from bot.guilds.settings import list_setting_types, validate_changes
from bot.i18n.message import TranslatableMessage, gettext_noop

FILE_VERSION = 1
NO_STYLES: Mapping[str, Mapping[str, str]] = MappingProxyType({})
MAX_FILE_BYTES = 256 * 1024
MAX_NODES = 5_000  # names, values and lists in a file; the fullest that can be written has 2,000
MAX_DEPTH = 20  # lists and names within each other
MAX_NUMBER_CHARS = 40  # characters of a number; Python's largest would take seconds to read
FILE_HEADER = (
    "# What a server allows Easel to do. `/settings import` takes this file back as a whole:\n"
    "# what it leaves out is no longer set. Ids are Discord's own, in quotation marks. A file\n"
    "# without `styles` leaves those of the server as they are.\n"
)
FILE_KEYS = ("version", "settings", "styles")
STYLE_FIELDS = ("prompt", "negative_prompt")
MAX_GUILD_STYLES = 50  # of one server
MAX_STYLE_NAME_CHARS, MAX_STYLE_TEXT_CHARS = (
    50,
    2000,
)  # characters of a style's, as the command for one takes


@dataclass(frozen=True)
class ParsedSettingsFile:
    """A settings file as it was read."""

    #: Every setting by name, as storage keeps it; None where the file has none.
    settings: dict[str, Any]
    #: Every style by name, with its words; None where the file says nothing of styles.
    styles: dict[str, dict[str, str]] | None = None


def write_settings_file(
    settings: Mapping[str, Any], styles: Mapping[str, Mapping[str, str]] = NO_STYLES
) -> str:
    """Write what storage keeps of a server's settings; what other parts keep there is left out."""
    guild_settings = {name: settings[name] for name in list_setting_types() if name in settings}
    style_texts = {
        name: {key: style[key] for key in STYLE_FIELDS if style[key]}
        for name, style in styles.items()
    }
    document = {"version": FILE_VERSION, "settings": guild_settings, "styles": style_texts}
    return FILE_HEADER + yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def read_settings_file(data: bytes) -> ParsedSettingsFile:
    """Read a file to what storage keeps.

    Raises:
        BadSettingsFile: says everything that is wrong with it.
    """
    if len(data) > MAX_FILE_BYTES:
        raise BadSettingsFile([file_too_large(len(data))])
    document = _parse_yaml(data)
    _check_version(document)
    settings = document.get("settings") or {}
    if not isinstance(settings, Mapping):
        raise BadSettingsFile([TranslatableMessage("“settings” must hold names with values")])
    problems = [
        TranslatableMessage(
            "“{name}” is not known beside “version”, “settings” and “styles”", name=name
        )
        for name in document
        if name not in FILE_KEYS
    ]
    values: dict[str, Any] = dict.fromkeys(list_setting_types())
    for name, value in settings.items():
        try:
            values |= validate_changes({str(name): value})
        except BadSetting as error:
            problems.append(error.problem)
    styles = _parse_styles(document["styles"], problems) if "styles" in document else None
    if problems:
        raise BadSettingsFile(problems)
    return ParsedSettingsFile(values, styles)


def _parse_styles(
    raw_styles: Any, problems: list[TranslatableMessage]
) -> dict[str, dict[str, str]]:
    """Read the styles, adding what is wrong to the problems."""
    if raw_styles is None:
        return {}
    if not isinstance(raw_styles, Mapping):
        problems.append(
            TranslatableMessage("“styles” must hold names with a prompt or a negative_prompt")
        )
        return {}
    if len(raw_styles) > MAX_GUILD_STYLES:
        words = gettext_noop("“styles” holds {count}; at most {most} fit")
        problems.append(TranslatableMessage(words, count=len(raw_styles), most=MAX_GUILD_STYLES))
    styles: dict[str, dict[str, str]] = {}
    used_names: set[str] = set()
    for key, words in raw_styles.items():
        name = str(key).strip()
        if problem := _style_problem(name, words):
            problems.append(problem)
        elif name.casefold() in used_names:
            problems.append(TranslatableMessage("the style “{name}” stands there twice", name=name))
        else:
            used_names.add(name.casefold())
            styles[name] = {part: str(words.get(part) or "") for part in STYLE_FIELDS}
    return styles


def _style_problem(name: str, words: Any) -> TranslatableMessage | None:
    """Say what is wrong with one style."""
    short_name = name[:MAX_STYLE_NAME_CHARS]
    if not 0 < len(name) <= MAX_STYLE_NAME_CHARS:
        return TranslatableMessage(
            "the style “{name}” needs a name of 1 to {most} characters",
            name=short_name,
            most=MAX_STYLE_NAME_CHARS,
        )
    if not isinstance(words, Mapping) or set(words) - {*STYLE_FIELDS}:
        return TranslatableMessage(
            "the style “{name}” must hold prompt, negative_prompt or both", name=short_name
        )
    texts = [text for text in words.values() if text is not None]
    if not all(isinstance(text, str) for text in texts) or not any(map(str.strip, texts)):
        return TranslatableMessage("the style “{name}” needs words", name=short_name)
    if max(map(len, texts)) > MAX_STYLE_TEXT_CHARS:
        return TranslatableMessage(
            "the style “{name}” has more than {most} characters",
            name=short_name,
            most=MAX_STYLE_TEXT_CHARS,
        )
    return None


def file_too_large(size: int) -> TranslatableMessage:
    """Say that a file has too many bytes."""
    return TranslatableMessage(
        "It has {size} bytes; at most {most} are read", size=size, most=MAX_FILE_BYTES
    )


def _parse_yaml(data: bytes) -> Mapping[str, Any]:
    try:
        document = yaml.load(data.decode("utf-8-sig"), Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except UnicodeDecodeError as error:
        raise BadSettingsFile([TranslatableMessage("It is no text in UTF-8")]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = "?" if mark is None else mark.line + 1
        raise BadSettingsFile(
            [
                TranslatableMessage(
                    "It is no YAML in line {line}: {problem}", line=line, problem=error.problem
                )
            ]
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadSettingsFile([TranslatableMessage("It is no YAML that can be read")]) from error
    if not isinstance(document, Mapping):
        raise BadSettingsFile([TranslatableMessage("It must hold “version” and “settings”")])
    return document


def _check_version(document: Mapping[str, Any]) -> None:
    version = document.get("version")
    if isinstance(version, bool) or not isinstance(version, int):
        raise BadSettingsFile(
            [TranslatableMessage("It must say “version: {version}”", version=FILE_VERSION)]
        )
    if version > FILE_VERSION:
        raise BadSettingsFile(
            [
                TranslatableMessage(
                    "It was written by a newer Easel (version {version}; this one reads {read})",
                    version=version,
                    read=FILE_VERSION,
                )
            ]
        )
    if version != FILE_VERSION:
        raise BadSettingsFile(
            [
                TranslatableMessage(
                    "Its version is {version}; this Easel reads {read}",
                    version=version,
                    read=FILE_VERSION,
                )
            ]
        )


class _StrictLoader(yaml.SafeLoader):
    """A SafeLoader that refuses aliases, repeated keys, and whatever has no end."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._nodes = self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases, and more than any file of ours holds."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases (*) are not read", mark)
        self._nodes += 1
        self._depth += 1
        if self._nodes > MAX_NODES or self._depth > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "it holds too much from here on", mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse a name that stands there twice."""
        seen_keys: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _refuse_node(key, "a name must be a text")
            if key.value in seen_keys:
                raise _refuse_node(key, f"“{key.value}” stands there twice")
            seen_keys.add(str(key.value))
        return super().construct_mapping(node, deep=deep)

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        """Refuse half a sign, which no text can be stored with."""
        if any("\ud800" <= sign <= "\udfff" for sign in node.value if isinstance(sign, str)):
            raise _refuse_node(node, "a text holds half a sign")
        return super().construct_scalar(node)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Refuse a number without end."""
        _check_number(node)
        return super().construct_yaml_int(node)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        """Refuse a number without end."""
        _check_number(node)
        return super().construct_yaml_float(node)


_StrictLoader.add_constructor("tag:yaml.org,2002:int", _StrictLoader.construct_yaml_int)
_StrictLoader.add_constructor("tag:yaml.org,2002:float", _StrictLoader.construct_yaml_float)


def _check_number(node: yaml.Node) -> None:
    if len(node.value) > MAX_NUMBER_CHARS:
        raise _refuse_node(node, f"a number has more than {MAX_NUMBER_CHARS} characters")


def _refuse_node(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
