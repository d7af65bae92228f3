"""What `setup` may be told beforehand."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: In their order; each can be skipped, done alone and, the first and the fourth aside, undone.
STEPS = ("checks", "token", "checkpoint", "picture", "service")
UNDOABLE_STEPS = ("token", "checkpoint", "service")


@dataclass(frozen=True, kw_only=True)
class SetupOptions:
    """The answers that need not be asked for."""

    #: A file with the bot's token.
    token_file: Path | None = None
    #: Id of the application that the token has to be of.
    application: int | None = None
    #: `starter`, or a key of the catalogue.
    checkpoint: str | None = None
    #: Whether everything is answered by options and defaults, as it is without a terminal.
    yes: bool = False
    #: Whether nothing is fetched.
    no_download: bool = False
    #: Whether licences that forbid earning money are agreed to.
    accept_licence: bool = False
    #: Whether a checkpoint that is too large for the card runs from the machine's memory in parts.
    low_memory: bool = False
    steps: tuple[str, ...] = STEPS
    undo: str | None = None
    #: Where the picture goes.
    out: Path = Path("out")


def add_setup_options(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--token-file", type=Path, help="a file with the bot's token")
    parser.add_argument("--application", type=int, help="id that the token's application must have")
    parser.add_argument("--checkpoint", metavar="KEY", help="starter, or a key of the catalogue")
    parser.add_argument("--yes", action="store_true", help="ask nothing; take what is proposed")
    parser.add_argument("--no-download", action="store_true", help="fetch nothing")
    parser.add_argument("--accept-licence", action="store_true", help="agree to any licence")
    parser.add_argument(
        "--low-memory", action="store_true", help="run what is too large for the card, slower"
    )
    parser.add_argument("--skip", action="append", choices=STEPS, default=[], help="leave out")
    parser.add_argument("--only", action="append", choices=STEPS, default=[], help="do these alone")
    parser.add_argument("--undo", choices=UNDOABLE_STEPS, help="take back what a step did")
    parser.add_argument("--out", type=Path, default=Path("out"), help="where the picture goes")


def read_setup_options(arguments: argparse.Namespace) -> SetupOptions:
    """Read the options from the command line's arguments."""
    values: dict[str, Any] = {
        name: value
        for name, value in vars(arguments).items()
        if name in SetupOptions.__dataclass_fields__
    }
    only, skip = arguments.only or STEPS, arguments.skip
    values["steps"] = tuple(step for step in STEPS if step in only and step not in skip)
    return SetupOptions(**values)
