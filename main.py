"""Easel's command line: run | demo | job | models | backup | doctor."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from bot.cli.arguments import add_kinds
from bot.errors import SettingsError
from bot.settings import Settings, read_settings
from bot.support.logging import configure_logging

BAD_SETTINGS_EXIT_CODE = 2


def build_parser() -> argparse.ArgumentParser:
    """Describe every command."""
    top = argparse.ArgumentParser(prog="main.py", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="run the bot on Discord")
    demo = commands.add_parser("demo", help="try the bot in a browser, without Discord")
    demo.add_argument("--port", type=int, help="port of the local page")
    demo.add_argument("--once", action="store_true", help="show what it does, then end")
    demo.add_argument("--out", type=Path, default=Path("demo-output"), help="where pictures go")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--out", type=Path, default=Path("out"), help="where pictures go")
    common.add_argument("--json", action="store_true", help="print one JSON event a line")
    common.add_argument("--data-dir", type=Path, help="instead of EASEL_DATA_DIR")
    add_kinds(commands.add_parser("job", help="do one job without Discord"), common)
    models = commands.add_parser("models", help="what the workers can run")
    models.add_argument("action", choices=("list", "catalogue", "verify", "import", "pull"))
    models.add_argument("target", nargs="?", help="the file to import, or the key to pull")
    models.add_argument("--name", help="the imported model's name, instead of its file's")
    models.add_argument("--yes", action="store_true", help="convert a pickle you trust")
    models.add_argument("--accept-licence", action="store_true", help="pull what forbids earning")
    models.add_argument("--family", default="", help="catalogue: only sd1 or sdxl")
    models.add_argument("--use", default="", help="catalogue: only checkpoint, lora, upscaler …")
    models.add_argument("--memory", type=float, help="catalogue: what a card of so many GB runs")
    backup = commands.add_parser("backup", help="copy all that is kept, while the bot runs or not")
    backup.add_argument("target", type=Path, help="a new folder")
    commands.add_parser("doctor", help="what is installed, what is missing, what to fix")
    return top


async def run_command(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run one command and return the exit code."""
    # Each command imports what it needs: none of them waits for the others' libraries.
    match arguments.command:
        case "run":
            from bot.cli.run import run_bot

            return await run_bot(settings)
        case "demo":
            from bot.cli.demo import run_demo

            return await run_demo(
                settings, out=arguments.out, port=arguments.port, once=arguments.once
            )
        case "job":
            from bot.cli.job import run_job

            return await run_job(
                vars(arguments), settings, out=arguments.out, as_json=arguments.json
            )
        case "models":
            from bot.cli.models import list_models, manage_models

            if arguments.action == "list":
                return await list_models(settings)
            if arguments.action == "catalogue":
                from bot.cli.catalogue import show_catalogue

                return show_catalogue(settings, arguments.family, arguments.use, arguments.memory)
            model_arguments = [arguments.target] if arguments.target else []
            model_arguments += ["--name", arguments.name] if arguments.name else []
            model_arguments += ["--yes"] if arguments.yes else []
            model_arguments += ["--accept-licence"] if arguments.accept_licence else []
            return await manage_models(settings, arguments.action, *model_arguments)
        case "backup":
            from bot.cli.backup import write_backup

            return await write_backup(settings, arguments.target)
        case _:
            from bot.cli.doctor import run_checks

            return await run_checks(settings)


def main() -> int:
    """Read the arguments and the environment, then act."""
    arguments = build_parser().parse_args()
    try:
        settings = read_settings()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return BAD_SETTINGS_EXIT_CODE
    if getattr(arguments, "data_dir", None):
        settings = settings.model_copy(update={"data_dir": arguments.data_dir})
    configure_logging(settings.log_level, settings.log_format)
    try:
        return asyncio.run(run_command(arguments, settings))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
