"""The step that draws one picture, by the way of every job of a member."""

from __future__ import annotations

import argparse

from bot.cli.arguments import add_kinds
from bot.cli.checks.next_download import STARTER
from bot.cli.job import run_job
from bot.cli.setup.session import FAILED, SetupSession
from inference.api.catalogue.entries import read_catalogue

#: What the starter knows, and what every other checkpoint does.
STARTER_PROMPT, PROMPT = "a red apple noto style", "a fox in the snow, evening light"


async def run_picture_step(session: SetupSession) -> None:
    """Draw a picture with the checkpoint that is set, and say where it lies."""
    model = session.settings.model
    words = ["imagine", "--prompt", STARTER_PROMPT if model == STARTER else PROMPT, "--seed", "1"]
    entries = {entry.key: entry for entry in read_catalogue(session.settings.models_path).entries}
    defaults = entries[model].defaults if model in entries else None
    if defaults is not None:
        options = {
            "--width": defaults.width,
            "--height": defaults.height,
            "--steps": defaults.steps,
            "--guidance": defaults.guidance,
            "--sampler": defaults.sampler,
            "--schedule": defaults.schedule,
        }
        words += [str(word) for pair in options.items() for word in pair]
    parser = argparse.ArgumentParser()
    add_kinds(parser, argparse.ArgumentParser(add_help=False))
    arguments = vars(parser.parse_args(words))
    session.dialogue.print_text("It starts a worker, which loads the checkpoint, and draws.")
    exit_code = await run_job(arguments, session.settings, out=session.options.out, as_json=False)
    if exit_code:
        session.fail("No picture came of it; `doctor` looks for the reason.", FAILED)
        return
    session.dialogue.print_result(
        "ok", f"the picture lies in {session.options.out.absolute()}, by the name above"
    )
