"""What setup asks and says: a dialogue at a terminal, or lines where everything is answered."""

from __future__ import annotations

from collections.abc import Mapping

import questionary
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.cli.checks.check_result import CheckResult
from bot.support.redaction import redact_secrets

MARKS = {"ok": "green", "FIX": "red", "note": "yellow"}


class SetupStopped(Exception):
    """The person at the terminal ended the dialogue."""


class Dialogue:
    """Asks at a terminal; elsewhere everything has its default."""

    def __init__(self, *, is_interactive: bool) -> None:
        self.is_interactive = is_interactive
        self._console = Console(highlight=False)

    def print_heading(self, number: int, count: int, title: str) -> None:
        """Begin a step."""
        self._console.print(Text(f"\n{number}/{count} {title}", "bold cyan"))

    def print_text(self, words: str) -> None:
        """Say something, wrapped between words; addresses stay whole."""
        for line in words.splitlines():
            is_address = "://" in line and " " not in line.strip()
            self._console.print(Text(redact_secrets(line)), soft_wrap=is_address)

    def print_result(self, mark: str, words: str) -> None:
        """Say how something went: `ok`, `FIX` or `note`."""
        self._print_row(Text(mark, MARKS[mark]), words)

    def print_check(self, check: CheckResult) -> None:
        """Say what a check found, and what to do about it; its address stays whole."""
        self.print_result("FIX" if check.fix else "ok", f"{check.subject}: {check.words}")
        words, address = split_address(check.fix)
        if words:
            self._print_row(Text(""), words)
        if address:
            self.print_text(address)

    def _print_row(self, mark: Text, words: str) -> None:
        row = Table.grid(padding=(0, 1))
        row.add_column(width=4)
        row.add_column(overflow="fold")
        row.add_row(mark, Text(redact_secrets(words)))
        self._console.print(row)

    async def confirm(self, question: str, *, default: bool) -> bool:
        """Ask for a yes or no."""
        if not self.is_interactive:
            return default
        answer = await questionary.confirm(question, default=default).ask_async()
        return bool(_answered(answer))

    async def ask_secret(self, question: str) -> str:
        """Ask for something that nobody may look at."""
        answer = await questionary.password(question).ask_async()
        return str(_answered(answer)).strip()

    async def choose(self, question: str, choices: Mapping[str, str], default: str) -> str:
        """Ask for one of several, given by key and words."""
        if not self.is_interactive:
            return default
        titles = [questionary.Choice(words, key) for key, words in choices.items()]
        answer = await questionary.select(question, titles, default=default).ask_async()
        return str(_answered(answer))


def split_address(words: str) -> tuple[str, str]:
    """Part a sentence from the long address that it ends in; empty where it ends in none."""
    head, _, last = words.rpartition(" ")
    return (head, last) if "://" in last and not last.endswith(".") else (words, "")


def _answered(answer: object) -> object:
    """Give the answer.

    Raises:
        SetupStopped: Ctrl-C was pressed instead.
    """
    if answer is None:
        raise SetupStopped
    return answer
