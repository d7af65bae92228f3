"""`setup`: the steps in their order, and the invitation at the end."""

from __future__ import annotations

import logging
import sys

from bot.cli.checks.graphics_cards import card_memory_gb, check_cards
from bot.cli.doctor import check_host, check_python
from bot.cli.setup.checkpoint_step import run_checkpoint_step, undo_checkpoint_step
from bot.cli.setup.dialogue import Dialogue, SetupStopped
from bot.cli.setup.options import SetupOptions
from bot.cli.setup.picture_step import run_picture_step
from bot.cli.setup.service_step import run_service_step, undo_service_step
from bot.cli.setup.session import DONE, FAILED, SetupSession
from bot.cli.setup.token_step import run_token_step, undo_token_step
from bot.settings import Settings
from bot.support.invitation import NEEDED_PERMISSIONS, invite_url, title_permissions
from inference.api.workers.cards import list_cards

INTERRUPTED = 130
#: Checks that are shown though all is well.
SHOWN_CHECKS = ("Python", "Data directory", "Card")
STEP_TITLES = {
    "checks": "This machine",
    "token": "The bot's token",
    "checkpoint": "A checkpoint",
    "picture": "A first picture",
    "service": "Start by itself",
}
GREETING = (
    "From nothing to a bot on your server. Every step can be left out (--skip STEP), done again "
    "(--only STEP) and taken back (--undo STEP); Ctrl-C ends this and keeps what is done."
)


async def run_setup(options: SetupOptions, settings: Settings) -> int:
    """Run the steps; return 0 done, 1 where something failed, 2 where something was refused."""
    # What the bot notes of its work is not for a newcomer; what goes wrong is.
    root, level = logging.getLogger(), logging.getLogger().level
    root.setLevel(max(level, logging.ERROR))
    try:
        return await _run_steps(options, settings)
    finally:
        root.setLevel(level)


async def _run_steps(options: SetupOptions, settings: Settings) -> int:
    is_interactive = sys.stdin.isatty() and sys.stdout.isatty() and not options.yes
    dialogue = Dialogue(is_interactive=is_interactive)
    session = SetupSession(options, dialogue, settings)
    try:
        if options.undo is not None:
            await _undo_step(session, options.undo)
            return session.exit_code
        if is_interactive:
            dialogue.print_text(GREETING)
        for number, step in enumerate(options.steps, 1):
            dialogue.print_heading(number, len(options.steps), STEP_TITLES[step])
            await _run_step(session, step)
    except SetupStopped:
        dialogue.print_text(
            "\nStopped; what is done stays done. Run setup again to go on from there."
        )
        return INTERRUPTED
    _print_end(session)
    return session.exit_code


async def _run_step(session: SetupSession, step: str) -> None:
    match step:
        case "checks":
            await _check_machine(session)
        case "token":
            await run_token_step(session)
        case "checkpoint":
            if "checks" not in session.options.steps:
                session.memory_gb = card_memory_gb(await list_cards())
            await run_checkpoint_step(session)
        case "picture":
            await run_picture_step(session)
        case "service":
            await run_service_step(session)


async def _undo_step(session: SetupSession, step: str) -> None:
    match step:
        case "token":
            undo_token_step(session)
        case "checkpoint":
            await undo_checkpoint_step(session)
        case "service":
            undo_service_step(session)


async def _check_machine(session: SetupSession) -> None:
    """Look at Python, the disk, the card and its driver, as doctor does."""
    cards = await list_cards() or ()
    session.memory_gb = card_memory_gb(cards)
    checks = [*check_python(), *check_host(session.settings), check_cards(cards)]
    for check in checks:
        if check.subject == "Discord token" or not (check.fix or check.subject in SHOWN_CHECKS):
            continue  # a step of its own, or of no use to a newcomer
        session.dialogue.print_check(check)
        if check.fix and check.subject != "Card":
            session.exit_code = max(session.exit_code, FAILED)


def _print_end(session: SetupSession) -> None:
    """Say what is left to do, and where the bot is invited."""
    if session.exit_code != DONE:
        session.dialogue.print_text("\nNot everything is done: mend what FIX names above.")
    else:
        program = "easel" if not sys.argv[0].endswith(".py") else f"python {sys.argv[0]}"
        session.dialogue.print_text(f"\nDone. Start the bot: {program} run")
    if session.account is None:
        return
    session.dialogue.print_text(
        f"It asks for these permissions and no others: {title_permissions(NEEDED_PERMISSIONS)}.\n"
        "Invite it here:\n"
        f"{invite_url(session.account.application_id)}"
    )
