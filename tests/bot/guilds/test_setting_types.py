"""What admins may set, from wherever it comes."""

from __future__ import annotations

import pytest

from bot.errors import BadSetting
from bot.guilds import GuildSettings, list_setting_types, validate_changes

GOOD = [
    ("channels", ["10002", 10001, "10001"], ["10001", "10002"], frozenset({"10001", "10002"})),
    ("channels", [], None, frozenset()),
    ("log_channel", 123456789012345678, "123456789012345678", "123456789012345678"),
    ("max_steps", 30, 30, 30),
    ("max_steps", 30.0, 30, 30),
    ("max_megapixels", 2, 2.0, 2.0),
    ("role_quotas", {10001: 60, "10002": 1.5}, {"10001": 60.0, "10002": 1.5}, None),
    ("role_quotas", {}, None, {}),
    ("role_shares", {10001: 2}, {"10001": 2.0}, None),
]


@pytest.mark.parametrize(("name", "given", "kept", "held"), GOOD)
def test_what_is_kept_and_held(name, given, kept, held):
    assert validate_changes({name: given}) == {name: kept}
    rules = GuildSettings.from_stored({} if kept is None else {name: kept})
    assert getattr(rules, name) == (kept if held is None else held)


BAD = [
    ("max_stepps", 30, "is no setting, but max_steps is"),
    ("nonsense", 30, "is no setting."),
    ("max_steps", 0, "1 to 150"),
    ("max_steps", 151, "1 to 150"),
    ("max_steps", 2.5, "whole number"),
    ("max_steps", 10**400, "max_steps is 1000000"),
    ("max_steps", -(10**400), "max_steps is -1000000"),
    ("max_megapixels", 10**400, "max_megapixels is 1000000"),
    ("max_steps", "30", "must be a number"),
    ("max_steps", True, "must be a number"),
    ("max_steps", float("nan"), "must be a number"),
    ("max_megapixels", [1], "must be a number"),
    ("channels", "10001", "must be a list"),
    ("channels", {"10001": 1}, "must be a list"),
    ("channels", ["art"], "Discord ids"),
    ("channels", [True], "Discord ids"),
    ("channels", ["10001"] * 101, "at most 100"),
    ("log_channel", "#log", "Discord ids"),
    ("role_quotas", [["10001", 5]], "role ids with numbers"),
    ("role_quotas", {"10001": -1}, "0 to"),
    ("role_quotas", {"artists": 5}, "Discord ids"),
]


@pytest.mark.parametrize(("name", "given", "words"), BAD)
def test_what_cannot_be_is_refused_with_its_name(name, given, words):
    with pytest.raises(BadSetting, match=words) as refused:
        validate_changes({name: given})
    assert str(refused.value).startswith(name)


def test_none_takes_anything_back():
    nothing = dict.fromkeys(list_setting_types())
    assert validate_changes(nothing) == nothing


def test_nothing_set_is_what_a_new_server_has():
    assert GuildSettings.from_stored({}) == GuildSettings()


LISTS = [
    ("banned_words", ["gore", " gore ", "blood*"], ["gore", "blood*"]),
    ("banned_words", [], None),
    ("banned_patterns", [r"\bgun"], [r"\bgun"]),
]


@pytest.mark.parametrize(("name", "given", "kept"), LISTS)
def test_lists_are_kept_in_order_without_doubles(name, given, kept):
    assert validate_changes({name: given}) == {name: kept}


BAD_LISTS = [
    ("banned_words", "gore", "must be a list"),
    ("banned_words", [5], "must hold texts"),
    ("banned_words", [""], "must hold texts"),
    ("banned_words", ["x" * 101], "at most 100"),
    ("banned_words", ["x"] * 201, "at most 200"),
    ("banned_patterns", ["("], "a pattern that cannot be read"),
    ("banned_patterns", ["x"] * 51, "at most 50"),
]


@pytest.mark.parametrize(("name", "given", "words"), BAD_LISTS)
def test_bad_lists(name, given, words):
    with pytest.raises(BadSetting, match=words):
        validate_changes({name: given})
