"""The step that lets systemd start the bot, and start it again."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from bot.cli.setup.session import FAILED, SetupSession

UNIT_NAME = "easel.service"
#: In the home directory: units of one user need no rights of the machine's administrator.
USER_UNITS = Path(".config", "systemd", "user")
UNIT = """\
# Written by Easel's setup for this user; deploy/easel.service is the unit for a whole machine.
[Unit]
Description=Easel, a Discord bot that edits pictures
Wants=network-online.target
After=network-online.target
# Discord allows a bot a thousand starts a day.
StartLimitIntervalSec=1h
StartLimitBurst=20

[Service]
WorkingDirectory={folder}
ExecStart={command} run
Environment=PYTHONUNBUFFERED=1
# 0 was asked for, 1 failed, 2 was refused: trying again mends no missing token.
Restart=on-failure
RestartSec=10s
RestartPreventExitStatus=2
# To the bot alone: it lets the jobs in hand end, and the workers with them.
KillMode=mixed
TimeoutStopSec=60s

[Install]
WantedBy=default.target
"""
START_WORDS = """\
Start it now, and at every start of the machine:
  systemctl --user daemon-reload
  systemctl --user enable --now easel
  loginctl enable-linger
Its log: journalctl --user -u easel -f\
"""
STOP_WORDS = "Stop it first: systemctl --user disable --now easel"


async def run_service_step(session: SetupSession) -> None:
    """Offer a unit of systemd for this user, and say how it is started."""
    if sys.platform != "linux" or shutil.which("systemctl") is None:
        session.dialogue.print_result(
            "note", "there is no systemd here: start the bot with `run`, and keep it running"
        )
        return
    path = unit_path()
    question = "Write a unit for this user, so that systemd starts the bot?"
    if not await session.dialogue.confirm(question, default=False):
        session.dialogue.print_result(
            "note", "left out; `setup --only service` writes it, docs/install.md has the others"
        )
        return
    unit = UNIT.format(folder=Path.cwd(), command=find_command())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(unit, encoding="utf-8")
    except OSError as error:
        session.fail(f"{path} cannot be written: {error.strerror}.", FAILED)
        return
    session.dialogue.print_result("ok", f"{path} is written")
    session.dialogue.print_text(START_WORDS)


def undo_service_step(session: SetupSession) -> None:
    """Delete the unit."""
    path = unit_path()
    if not path.exists():
        session.dialogue.print_result("ok", f"there is no {path}")
        return
    session.dialogue.print_text(STOP_WORDS)
    path.unlink()
    session.dialogue.print_result("ok", f"{path} is deleted")


def unit_path() -> Path:
    """Give the unit's place."""
    return Path.home() / USER_UNITS / UNIT_NAME


def find_command() -> str:
    """Write the command by which this Easel is called, with whole paths."""
    called_as = Path(sys.argv[0]).resolve()
    if called_as.suffix == ".py" or not called_as.exists():
        main_file = Path(__file__).resolve().parents[3] / "main.py"
        return f'"{sys.executable}" "{main_file}"'
    return f'"{called_as}"'
