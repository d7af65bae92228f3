"""Codes: each known, each used, with the parameters that its sentence has holes for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.api import errors
from inference.api.notices import NOTICES, PLACEHOLDER_PATTERN, Notice, read_notice
from inference.images import errors as image_errors
from inference.model_files import errors as model_errors

ROOT = Path(__file__).parents[3]
SOURCES = sorted(
    p for folder in ("inference", "bot", "storage") for p in (ROOT / folder).rglob("*.py")
)
CLUSTER = ("remote_pool.py", "seat.py", "seat_host.py")
HOST_ONLY = (
    "manage_models.py",
    "pull_models.py",
    "hub.py",
    "download.py",
    "wire.py",
    "process.py",
    *CLUSTER,
)
"""What speaks to the host's terminal or log alone, in sentences."""
ERROR_CLASSES = {
    name: kind
    for module in (errors, image_errors, model_errors)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, errors.InferenceError)
}
OWN_WORDS = {"OutOfRange", "UnknownChoice", "ImageMissing", "NothingFound"}
"""Classes that make their notice themselves."""


def holes(code: str) -> set[str]:
    return set(PLACEHOLDER_PATTERN.findall(NOTICES[code]))


def spoken_notices() -> Iterator[tuple[str, ast.Call, ast.expr]]:
    """Yield every making of a notice or an error: where, the call, and what stands for its code."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            name = node.func.id
            if name != "Notice" and (name not in ERROR_CLASSES or name in OWN_WORDS):
                continue
            place = 1 if name == "JobError" else 0
            if len(node.args) > place and path.name not in HOST_ONLY:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node, node.args[place]


def constant_codes(code: ast.expr) -> Iterator[str]:
    match code:
        case ast.Constant(value=str(value)):
            yield value
        case ast.IfExp(body=body, orelse=other):
            yield from constant_codes(body)
            yield from constant_codes(other)


def test_every_code_is_known_and_has_the_parameters_of_its_sentence():
    wrong = []
    for place, call, argument in spoken_notices():
        params = {keyword.arg for keyword in call.keywords if keyword.arg}
        is_open = any(keyword.arg is None for keyword in call.keywords)
        for code in constant_codes(argument):
            fits = code in NOTICES and (params <= holes(code) if is_open else params == holes(code))
            wrong += [] if fits else [f"{place}: {code} {sorted(params)}"]
    assert wrong == []


def test_no_sentence_is_raised_or_noted():
    """What is no constant is a code or a notice by a name; a sentence would be put together."""
    assert [
        place
        for place, _, argument in spoken_notices()
        if isinstance(argument, ast.JoinedStr | ast.BinOp)
    ] == []


def test_every_code_is_used():
    constants = {
        node.value
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert set(NOTICES) - constants == set()


@pytest.mark.parametrize("kind", [c for n, c in ERROR_CLASSES.items() if "default_code" in vars(c)])
def test_an_error_without_a_code_has_its_own(kind):
    code = kind.default_code
    assert code == "" or (str(kind()), holes(code)) == (NOTICES[code], set())


def test_no_two_codes_say_the_same():
    assert len(set(NOTICES.values())) == len(NOTICES)


def test_a_notice_is_read_as_it_was_stored():
    inner = Notice("names.did_you_mean", names="cat_2")
    notice = Notice("prompt.no_lora", name="{name} _x_", why=inner)
    assert read_notice(notice.to_text()) == notice == read_notice(notice.to_json())
    assert str(notice) == "There is no LoRA “{name} _x_” here. Did you mean cat_2?"
    assert len({notice, read_notice(notice.to_text())}) == 1


def test_options_are_named_without_underscores():
    assert str(Notice("like.cut", option="negative_prompt", most=9)) == (
        "Its negative prompt was cut to 9 characters."
    )


@pytest.mark.parametrize("text", ["The mask is empty.", '{"code": 3}', "{name}", "[1]", "", "7"])
def test_what_an_older_version_stored_is_shown_as_it_is(text):
    assert str(read_notice(text)) == text


def test_a_code_of_a_newer_version_is_shown_with_its_parameters():
    assert str(Notice("mask.melted", share="3 %", heat=7)) == "mask.melted (share: 3 %, heat: 7)"
    assert str(Notice("mask.melted")) == "mask.melted"


def test_parameters_are_plain():
    notice = Notice("weights.wrong_shape", shape=(1, 2), error=KeyError("x"), count=3)
    assert notice.params == {"shape": "(1, 2)", "error": "'x'", "count": 3}
