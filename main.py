"""Easel's command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.support.paths import HostPaths, find_data_dir, find_host_paths

if TYPE_CHECKING:
    from bot.settings import Settings

# `--help`, `--version` and `health` run often and answer at once: nothing above, nor in what it
# imports, may bring asyncio, pydantic or discord along.

EXIT_REFUSED = 2
EXIT_INTERRUPTED = 130  # as shells say it: 128 and the signal's number


class CommandParser(argparse.ArgumentParser):
    """Describes one command; what costs much to describe, once it is asked for."""

    #: Adds options as soon as this command is used.
    add_options: Callable[[argparse.ArgumentParser], None] | None = None

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse arguments as every parser does, with all options described."""
        if self.add_options is not None:
            add_options, self.add_options = self.add_options, None
            add_options(self)
        return super().parse_known_args(args, namespace)


class VersionAction(argparse.Action):
    """Prints the version, which is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *arguments: Any) -> None:
        """Print it and end."""
        from bot.support.version import find_version

        print(f"Easel {find_version()}")
        parser.exit()


def build_parser(prog: str = "main.py") -> argparse.ArgumentParser:
    """Describe every command."""
    top = argparse.ArgumentParser(prog=prog, description=__doc__)
    top.add_argument("--version", action=VersionAction, nargs=0, help="say which Easel this is")
    commands = top.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=CommandParser
    )
    commands.add_parser("run", help="run the bot on Discord")
    demo = commands.add_parser("demo", help="try the bot in a browser, without Discord")
    demo.add_argument("--port", type=int, help="port of the local page")
    demo.add_argument("--once", action="store_true", help="show what it does, then end")
    demo.add_argument("--out", type=Path, default=Path("demo-output"), help="where pictures go")
    commands.add_parser("job", help="do one job without Discord").add_options = add_job_options
    setup = commands.add_parser("setup", help="from nothing to a bot on your server")
    setup.add_options = describe_setup_options
    models = commands.add_parser("models", help="what the workers can run")
    models.add_argument("action", choices=("list", "catalogue", "verify", "import", "pull", "sync"))
    models.add_argument(
        "target", nargs="?", help="the file to import, the key to pull, the cluster to bring all to"
    )
    models.add_argument("--name", help="the imported model's name, instead of its file's")
    models.add_argument("--yes", action="store_true", help="convert a pickle you trust")
    models.add_argument("--accept-licence", action="store_true", help="pull what forbids earning")
    models.add_argument("--family", default="", help="catalogue: only sd1 or sdxl")
    models.add_argument("--use", default="", help="catalogue: only checkpoint, lora, upscaler …")
    models.add_argument("--memory", type=float, help="catalogue: what a card of so many GB runs")
    cluster = commands.add_parser("cluster", help="workers on other machines, by Ray")
    cluster.add_argument("action", choices=("head", "join", "status", "drain", "undrain"))
    cluster.add_argument(
        "target",
        nargs="?",
        help="join: the head, as HOST:6379; drain, undrain: a node or worker, else this machine",
    )
    cluster.add_argument("--ip", help="this machine's address among the nodes")
    cluster.add_argument("--port", type=int, default=6379, help="the first of the ports in use")
    cluster.add_argument(
        "--wait", type=float, default=0.0, help="drain, this machine: wait so many seconds"
    )
    cluster.add_argument("--ray", default="", help="more of `ray start`, as --ray='--num-gpus=2'")
    backup = commands.add_parser("backup", help="copy all that is kept, while the bot runs or not")
    backup.add_argument("target", type=Path, help="a new folder")
    commands.add_parser("doctor", help="what is installed, what is missing, what to fix")
    commands.add_parser("update", help="how to update, and what the update brings to this data")
    commands.add_parser("health", help="whether the bot is well: exit code 0 or 1, and a line why")
    return top


def add_job_options(parser: argparse.ArgumentParser) -> None:
    """Describe every kind of job with its options."""
    from bot.cli.arguments import add_kinds

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--out", type=Path, default=Path("out"), help="where pictures go")
    common.add_argument("--json", action="store_true", help="print one JSON event a line")
    common.add_argument("--data-dir", type=Path, help="instead of EASEL_DATA_DIR")
    add_kinds(parser, common)


def describe_setup_options(parser: argparse.ArgumentParser) -> None:
    """Describe what setup may be told beforehand."""
    from bot.cli.setup.options import add_setup_options

    add_setup_options(parser)


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
            return await run_models(arguments, settings)
        case "setup":
            from bot.cli.setup.options import read_setup_options
            from bot.cli.setup.wizard import run_setup

            return await run_setup(read_setup_options(arguments), settings)
        case "cluster":
            return await run_cluster(arguments, settings)
        case "backup":
            from bot.cli.backup import write_backup

            return await write_backup(settings, arguments.target)
        case "update":
            from bot.cli.update import show_update_notes

            return await show_update_notes(settings)
        case _:
            from bot.cli.doctor import run_checks

            return await run_checks(settings)


async def run_cluster(arguments: argparse.Namespace, settings: Settings) -> int:
    """Start, show or drain machines of a cluster."""
    from bot.cli.cluster import run_cluster_command

    return await run_cluster_command(
        settings,
        arguments.action,
        arguments.target,
        ip=arguments.ip,
        port=arguments.port,
        ray_options=arguments.ray,
        wait_seconds=arguments.wait,
    )


async def run_models(arguments: argparse.Namespace, settings: Settings) -> int:
    """List, show or look after models, and return the exit code."""
    from bot.cli.models import list_models, manage_models

    if arguments.action == "list":
        return await list_models(settings)
    if arguments.action == "catalogue":
        from bot.cli.catalogue import show_catalogue

        return show_catalogue(settings, arguments.family, arguments.use, arguments.memory)
    if arguments.action == "sync":
        from bot.cli.cluster import sync_models

        return await sync_models(settings, arguments.target)
    model_arguments = [arguments.target] if arguments.target else []
    model_arguments += ["--name", arguments.name] if arguments.name else []
    model_arguments += ["--yes"] if arguments.yes else []
    model_arguments += ["--accept-licence"] if arguments.accept_licence else []
    return await manage_models(settings, arguments.action, *model_arguments)


def main() -> int:
    """Read the arguments and the environment, then act.

    The exit code is 0 for what was asked for, 1 where it failed, 2 where what was given is refused
    and another try would be, too.
    """
    arguments = build_parser(find_program_name(sys.argv[0])).parse_args()
    paths = find_host_paths(os.environ)
    if arguments.command == "health":
        from bot.cli.health import print_health

        return print_health(find_data_dir(os.environ, paths))
    return run_with_settings(arguments, paths)


def run_with_settings(arguments: argparse.Namespace, paths: HostPaths) -> int:
    """Run a command that needs the host's settings, and return the exit code."""
    import asyncio

    from bot.errors import SettingsError
    from bot.settings import read_host_settings
    from bot.support.logging import configure_logging

    try:
        settings = read_host_settings(paths)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return EXIT_REFUSED
    if getattr(arguments, "data_dir", None):
        settings = settings.model_copy(update={"data_dir": arguments.data_dir})
    configure_logging(settings.log_level, settings.log_format)
    try:
        return asyncio.run(run_command(arguments, settings))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def find_program_name(called_as: str) -> str:
    """Say what the command line was called by: `main.py`, or `easel` where it is installed."""
    name = Path(called_as).name
    return "easel" if name in ("__main__.py", "") else name.removesuffix(".exe")


if __name__ == "__main__":
    sys.exit(main())
