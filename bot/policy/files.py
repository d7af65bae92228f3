"""All of a server's settings as one YAML file that people can read, change and keep."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import yaml

from bot.errors import BadSetting, BadSettingsFile
from bot.policy.rules import changed, settable
from bot.sentences import Sentence

VERSION = 1
MAX_BYTES = 64 * 1024
HEAD = (
    "# What a server allows Easel to do. `/settings import` takes this file back as a whole:\n"
    "# what it leaves out is no longer set. Ids are Discord's own, in quotation marks.\n"
)


def write_file(settings: Mapping[str, Any]) -> str:
    """Write what storage keeps of a server's settings; what other parts keep there is left out."""
    known = {name: settings[name] for name in settable() if name in settings}
    document = {"version": VERSION, "settings": known}
    return HEAD + yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def read_file(data: bytes) -> dict[str, Any]:
    """Read a file to what storage keeps: every setting by name, None where the file has none.

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
        Sentence("“{name}” is not known beside “version” and “settings”", name=name)
        for name in document
        if name not in ("version", "settings")
    ]
    values: dict[str, Any] = dict.fromkeys(settable())
    for name, value in settings.items():
        try:
            values |= changed({str(name): value})
        except BadSetting as error:
            problems.append(error.problem)
    if problems:
        raise BadSettingsFile(problems)
    return values


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
