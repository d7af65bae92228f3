"""The step that chooses a checkpoint for the card and fetches it."""

from __future__ import annotations

import shutil
from pathlib import Path

from bot.app import engine_config
from bot.cli.checks.next_download import STARTER
from bot.cli.models import manage_models
from bot.cli.setup.env_file import remove_variables
from bot.cli.setup.session import FAILED, REFUSED, SetupSession
from inference.api.catalogue.entries import CatalogueEntry, CatalogueError, read_catalogue

MODEL_VARIABLE, LOW_MEMORY_VARIABLE = "EASEL_MODEL", "EASEL_LOW_MEMORY"
#: Parts of a checkpoint take turns on the card: three quarters of its memory, as the field has it.
LOW_MEMORY_MODE = "medvram"
STARTER_WORDS = "starter: emoji of 128 pixels; ships with Easel, nothing to fetch"


async def run_checkpoint_step(session: SetupSession) -> None:
    """Choose a checkpoint, fetch it and name it in the settings file."""
    try:
        entry = await _choose_entry(session)
    except CatalogueError as error:
        session.fail(str(error), REFUSED)
        return
    if entry is None:
        if session.settings.model != STARTER or session.options.checkpoint == STARTER:
            session.save_variables(**{MODEL_VARIABLE: STARTER})
        else:
            session.dialogue.print_result("ok", "the starter draws; it ships with Easel")
        return
    low_memory = await _fit_memory(session, entry)
    if low_memory is None or not await _fetch(session, entry):
        return
    values = {MODEL_VARIABLE: entry.key}
    if low_memory:
        values[LOW_MEMORY_VARIABLE] = LOW_MEMORY_MODE
    session.save_variables(**values)


async def undo_checkpoint_step(session: SetupSession) -> None:
    """Take the checkpoint out of the settings file, and from the disk where that is agreed to."""
    name = session.settings.model
    removed_names = remove_variables(session.env_file, MODEL_VARIABLE, LOW_MEMORY_VARIABLE)
    if not removed_names:
        session.dialogue.print_result("ok", f"{session.env_file} names no checkpoint")
        return
    words = f"{', '.join(removed_names)} taken out of {session.env_file}: the starter draws"
    session.dialogue.print_result("ok", words)
    entries = {entry.key: entry for entry in read_catalogue(session.settings.models_path).entries}
    path = _path_of(session, entries[name]) if name in entries else None
    if path is None or not path.exists():
        return
    if await session.dialogue.confirm(f"Delete {path}?", default=session.options.yes):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        session.dialogue.print_result("ok", f"{path} is deleted")


async def _choose_entry(session: SetupSession) -> CatalogueEntry | None:
    """Choose an entry of the catalogue; None is the starter.

    Raises:
        CatalogueError: there is no such entry, or it is no checkpoint.
    """
    catalogue = read_catalogue(session.settings.models_path)
    key = session.options.checkpoint
    proposals = catalogue.propose_checkpoints(session.memory_gb)
    if key is None:
        default = proposals[0].key if proposals else STARTER
        if session.options.no_download:
            default = session.settings.model
        choices = {entry.key: _describe_choice(entry) for entry in proposals}
        choices |= {STARTER: STARTER_WORDS}
        if session.settings.model not in choices:
            choices[session.settings.model] = f"{session.settings.model}: as it is set now"
        key = await session.dialogue.choose("Which checkpoint shall draw?", choices, default)
        if key not in {entry.key for entry in catalogue.entries}:
            return None
    if key == STARTER:
        return None
    entry = catalogue.find_entry(key)
    if entry.kind != "checkpoint":
        raise CatalogueError(
            f"{key} is a {entry.kind}, not a checkpoint: fetch it with `models pull {key}`."
        )
    return entry


def _describe_choice(entry: CatalogueEntry) -> str:
    size = "" if entry.total_bytes is None else f", {entry.total_bytes / 1e9:.1f} GB to fetch"
    return f"{entry.key}: {entry.about}{size}"


async def _fit_memory(session: SetupSession, entry: CatalogueEntry) -> bool | None:
    """Say whether the checkpoint has to run in parts on this card; None where it shall not."""
    memory_gb = session.memory_gb
    if memory_gb is None or entry.fits_memory(memory_gb):
        return False
    words = (
        f"{entry.title} takes a card of {entry.memory_gb:g} GB, and this one has "
        f"{memory_gb:.1f}. With {LOW_MEMORY_VARIABLE}={LOW_MEMORY_MODE} it runs in parts, slower."
    )
    session.dialogue.print_result("note", words)
    question = "Take it, in parts?"
    if await session.dialogue.confirm(question, default=session.options.low_memory):
        return True
    smaller = read_catalogue(session.settings.models_path).propose_checkpoints(memory_gb)
    names = ", ".join(proposal.key for proposal in smaller) or STARTER
    session.fail(
        f"{entry.key} is too large for this card. What fits it: {names}. Or say --low-memory.",
        REFUSED,
    )
    return None


async def _fetch(session: SetupSession, entry: CatalogueEntry) -> bool:
    """Fetch a checkpoint that is not here; say whether it is here now."""
    path = _path_of(session, entry)
    if path.exists():
        session.dialogue.print_result("ok", f"{entry.key} is here already: {path}")
        return True
    command = f"models pull {entry.key}"
    if session.options.no_download:
        session.fail(f"{entry.key} is not here, and nothing was fetched: `{command}`.", REFUSED)
        return False
    # Its progress bar and its words are the other process's own.
    accept = ("--accept-licence",) if session.options.accept_licence else ()
    exit_code = await manage_models(session.settings, "pull", entry.key, *accept)
    if exit_code:
        session.fail(
            f"{entry.key} was not fetched. Run `setup --only checkpoint --checkpoint {entry.key}` "
            "again: it goes on where it stopped.",
            FAILED,
        )
    return exit_code == 0


def _path_of(session: SetupSession, entry: CatalogueEntry) -> Path:
    cache_dir = Path(engine_config(session.settings).cache_dir)
    return entry.model_path(session.settings.models_path, cache_dir)
