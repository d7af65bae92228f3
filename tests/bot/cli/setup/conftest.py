from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.cli.setup import checkpoint_step, picture_step, service_step, wizard
from bot.cli.setup.dialogue import Dialogue
from bot.cli.setup.options import SetupOptions
from bot.settings import Settings, read_settings
from inference.api.catalogue.entries import read_catalogue
from inference.api.workers.cards import Card

#: What a test says where it means that something is asked.
Answers = dict[str, Any]


class ScriptedDialogue(Dialogue):
    """Answers questions by their first words, and notes those that were asked."""

    def __init__(self, answers: Answers) -> None:
        super().__init__(is_interactive=True)
        self.answers, self.questions = answers, []

    def _answer(self, question: str) -> Any:
        self.questions.append(question)
        (key,) = [key for key in self.answers if question.startswith(key)]
        answer = self.answers[key]
        return answer.pop(0) if isinstance(answer, list) else answer

    async def confirm(self, question: str, *, default: bool) -> bool:
        return self._answer(question)

    async def ask_secret(self, question: str) -> str:
        return self._answer(question)

    async def choose(self, question: str, choices: Any, default: str) -> str:
        self.choices, self.default = choices, default
        answer = self._answer(question)
        assert answer in choices
        return answer


class Host:
    """A host on which setup is run: its files, its card, and what was fetched and drawn."""

    def __init__(self, folder: Path, api_base: str) -> None:
        self.folder = folder
        self.env_file = folder / ".env"
        self.values = {"data_dir": folder / "data", "discord_api_base": api_base}
        self.cards: tuple[Card, ...] = ()
        self.pulls: list[tuple[str, ...]] = []
        self.pull_code = 0
        self.drawn: list[dict[str, Any]] = []
        self.job_code = 0
        self.dialogue: ScriptedDialogue | None = None

    @property
    def settings(self) -> Settings:
        return read_settings(self.env_file).model_copy(update=self.values)

    def give_card(self, memory_gb: float) -> None:
        self.cards = (Card(device="cuda:0", name="Card", memory_bytes=int(memory_gb * 2**30)),)

    def lay(self, key: str) -> Path:
        """Lay a model of the catalogue where a pull would."""
        entry = read_catalogue().find_entry(key)
        path = entry.model_path(self.settings.models_path, self.folder / "data" / "cache")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"weights")
        return path


@pytest.fixture
def host(tmp_path, monkeypatch, accounts) -> Host:
    host = Host(tmp_path, accounts.api_base)
    for name in ("DISCORD_TOKEN", "DISCORD_TOKEN_FILE", "EASEL_MODEL", "EASEL_HOME"):
        monkeypatch.delenv(name, raising=False)
    # Settings that are read again come from the file; the stand-in's address has to stay.
    monkeypatch.setenv("DISCORD_API_BASE", accounts.api_base)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    async def list_cards() -> tuple[Card, ...]:
        return host.cards

    async def pull(settings: Settings, action: str, key: str, *options: str) -> int:
        host.pulls.append((key, *options))
        if not host.pull_code:
            host.lay(key)
        return host.pull_code

    async def draw(arguments: Any, settings: Settings, *, out: Path, as_json: bool) -> int:
        host.drawn.append({**arguments, "model": settings.model})
        return host.job_code

    monkeypatch.setattr(wizard, "list_cards", list_cards)
    monkeypatch.setattr(checkpoint_step, "manage_models", pull)
    monkeypatch.setattr(picture_step, "run_job", draw)
    monkeypatch.setattr(service_step.shutil, "which", lambda name: f"/usr/bin/{name}")
    return host


@pytest.fixture
def set_up(host, monkeypatch, capsys) -> Callable[..., Any]:
    """Run setup; with answers as at a terminal, without as a script. Give its code and words."""

    async def run(answers: Answers | None = None, **options: Any) -> tuple[int, str]:
        chosen = SetupOptions(**options)
        if answers is not None:
            host.dialogue = ScriptedDialogue(answers)
            monkeypatch.setattr(wizard, "Dialogue", lambda is_interactive: host.dialogue)
            monkeypatch.setattr(wizard.sys.stdin, "isatty", lambda: True, raising=False)
        else:
            monkeypatch.setattr(wizard, "Dialogue", Dialogue)
            chosen = replace(chosen, yes=True)
        code = await wizard.run_setup(chosen, host.settings)
        return code, " ".join(capsys.readouterr().out.split())

    return run
