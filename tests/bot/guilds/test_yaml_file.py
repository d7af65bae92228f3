"""Settings as a file: out and in without a difference, and nothing half taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import BadSettingsFile
from bot.guilds import list_setting_types
from bot.guilds.yaml_file import read_settings_file, write_settings_file

SETTINGS = {
    "channels": ["123456789012345678"],
    "max_steps": 30,
    "max_megapixels": 1.5,
    "quota": 600.0,
    "role_quotas": {"123456789012345679": 3600.0},
    "role_shares": {"123456789012345679": 2.0},
    "models": ["sdxl"],
    "banned_words": ["gore", "血", "yes", "1", "#x: y"],
    "banned_patterns": [r"\bguns?\b"],
    "nsfw_ordinary": "block",
    "nsfw_threshold": 0.7,
}


def test_what_is_written_is_read_the_same():
    values = read_settings_file(write_settings_file(SETTINGS).encode()).settings
    assert {name: value for name, value in values.items() if value is not None} == SETTINGS
    assert set(values) == set(list_setting_types())


def test_what_other_parts_keep_is_left_out():
    assert "other" not in write_settings_file({**SETTINGS, "other": "de"})


def test_it_can_be_read_by_people():
    text = write_settings_file(SETTINGS)
    assert text.startswith("# What a server allows")
    assert "max_steps: 30\n" in text
    assert "- 血\n" in text


def test_an_empty_server_has_an_empty_file():
    assert set(read_settings_file(write_settings_file({}).encode()).settings.values()) == {None}


def file(settings: str = "", version: str = "version: 1") -> bytes:
    return f"{version}\n{settings}".encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "must hold “version” and “settings”"),
        (b"- a", "must hold “version” and “settings”"),
        (b"\xff\xfe", "no text in UTF-8"),
        (b"x" * 300_000, "at most 262144"),
        (b"a: [", "no YAML in line 1"),
        (b"[" * 20_000, "no YAML in line 1: it holds too much"),
        (b"version: 1\n" + b"a: {" * 60_000, "no YAML in line 2: it holds too much"),
        (b"version: 1\n" + b"- " * 60_000, "no YAML in line 2"),
        (file("settings: [" + "a," * 120_000), "no YAML in line 2: it holds too much"),
        (
            file("".join(f"k{number}: 1\n" for number in range(20_000))),
            "no YAML in line 2500: it holds too much",
        ),
        (b"settings: {}", "must say “version: 1”"),
        (b"version: '1'", "must say “version: 1”"),
        (b"version: true", "must say “version: 1”"),
        (b"version: 2", "newer Easel"),
        (b"version: 0", "this Easel reads 1"),
        (file("setings: {}"), "“setings” is not known"),
        (file("settings: [1]"), "must hold names with values"),
        (file("settings: {max_stepps: 3}"), "max_stepps is no setting"),
        (file("settings: {max_steps: many}"), "max_steps must be a number"),
        (file("settings: {max_steps: 3, max_steps: 4}"), "“max_steps” stands there twice"),
        (file("settings: {banned_words: gore}"), "must be a list"),
        (file("settings: {channels: [art]}"), "Discord ids"),
        (file("settings: {nsfw_ordinary: off}"), "must be “unchecked”"),
        (file("settings: &x {loras: *x}"), "aliases"),
        (file("settings: {loras: !!python/object:os.system [x]}"), "no YAML"),
        *(
            (file(f"settings: {{max_steps: {number}}}"), "a number has more than 40 characters")
            for number in (
                "9" * 5000,
                "0x" + "f" * 400,
                "0b" + "1" * 200_000,
                "07" + "7" * 200_000,
                "1" + ":1" * 100_000,
                "1" + ":1" * 100_000 + ".5",
                "1." + "9" * 200_000,
            )
        ),
        (file("settings: {}", "version: 0x" + "f" * 9999), "a number has more than 40 characters"),
        (file("settings: {max_steps: 0x" + "f" * 30 + "}"), "max_steps is 1.32923e+36, but must"),
        (file("settings: {max_steps: 1.0e+400}"), "max_steps must be a number"),
        (file("settings: {[a]: 1}"), "a name must be a text"),
        (file("settings: {{}: 1}"), "a name must be a text"),
        (file("? [a]\n: 1"), "a name must be a text"),
        (file('settings: {banned_words: ["\\ud800"]}'), "half a sign"),
        (file('settings: {"\\ud800": 1}'), "half a sign"),
        (file('styles: {a: {prompt: "\\udfff"}}'), "half a sign"),
        (file("settings: {banned_patterns: ['(']}"), "a pattern that cannot be read"),
        (file("settings: {5: 6}"), "5 is no setting"),
    ],
)
def test_a_file_that_cannot_be_taken_says_why(data, words):
    with pytest.raises(BadSettingsFile, match="Nothing was changed") as refused:
        read_settings_file(data)
    assert words in str(refused.value)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(BadSettingsFile) as refused:
        read_settings_file(file("settings: {max_steps: 0, max_batch: 99, nonsense: 1}\nmore: 2"))
    for name in ("max_steps", "max_batch", "nonsense", "more"):
        assert name in str(refused.value)


def test_a_long_list_of_problems_is_cut():
    wrong = ", ".join(f"{'x' * 500}{n}: 1" for n in range(40))
    with pytest.raises(BadSettingsFile, match="and 30 more") as refused:
        read_settings_file(file(f"settings: {{{wrong}}}"))
    assert len(str(refused.value)) < 2000


@given(st.binary(max_size=300))
def test_noise_is_refused_and_never_crashes(data):
    with pytest.raises(BadSettingsFile):
        read_settings_file(data)


STYLES = {
    "Ink": {"prompt": "ink drawing of {prompt}", "negative_prompt": "colour"},
    "水墨": {"prompt": "", "negative_prompt": "photo: yes, #1"},
}


def test_styles_that_are_written_are_read_the_same():
    assert read_settings_file(write_settings_file({}, STYLES).encode()).styles == STYLES
    assert read_settings_file(file()).styles is None
    assert read_settings_file(file("styles:")).styles == {}


@pytest.mark.parametrize(
    ("styles", "words"),
    [
        ("[Ink]", "must hold names"),
        ("{Ink: ink}", "must hold prompt, negative_prompt or both"),
        ("{Ink: {words: ink}}", "must hold prompt, negative_prompt or both"),
        ("{Ink: {prompt: 5}}", "needs words"),
        ("{Ink: {prompt: ' '}}", "needs words"),
        ("{Ink: {prompt: x}, ink: {prompt: y}}", "stands there twice"),
        (f"{{{'x' * 51}: {{prompt: x}}}}", "1 to 50 characters"),
        (f"{{Ink: {{prompt: {'x' * 2001}}}}}", "more than 2000 characters"),
        ("{" + "x: {prompt: x}, ".join(map(str, range(52))) + ": {prompt: x}}", "holds 52"),
    ],
)
def test_styles_that_cannot_be(styles, words):
    with pytest.raises(BadSettingsFile) as refusal:
        read_settings_file(file(f"styles: {styles}"))
    assert words in str(refusal.value)
