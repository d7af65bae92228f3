"""docs/install.md says what setup does."""

from __future__ import annotations

import argparse
from pathlib import Path

from bot.cli.setup.options import STEPS, UNDOABLE_STEPS, add_setup_options
from bot.support.invitation import NEEDED_PERMISSIONS, PERMISSION_TITLES

PAGE_FILE = Path(__file__).parents[4] / "docs" / "install.md"
PAGE = " ".join(PAGE_FILE.read_text("utf-8").split())


def test_every_step_and_option_stands_there():
    parser = argparse.ArgumentParser(add_help=False)
    add_setup_options(parser)
    options = {word for action in parser._actions for word in action.option_strings}
    assert {option for option in options if f"`{option}" not in PAGE} == set()
    assert [step for step in STEPS if f"| `{step}` |" not in PAGE] == []
    assert [step for step in UNDOABLE_STEPS if f"--undo {step}" not in PAGE] == []


def test_every_permission_stands_there_with_what_it_is_for():
    rows = {f"| {PERMISSION_TITLES[name]} | {use} |" for name, use in NEEDED_PERMISSIONS.items()}
    assert {row for row in rows if row not in PAGE} == set()
