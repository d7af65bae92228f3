"""Break a promise on purpose and see that its test notices: `python tools/mutants.py [NAME …]`.

Each entry of `tools/mutants.toml` replaces one piece of the code in a copy of the tree and names
the tests that must then fail. Exits with 1 when one of them passes all the same. `--list` prints
the table of docs/reliability.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
LIST = Path(__file__).with_suffix(".toml")
TIME_LIMIT_SECONDS = 1800
TEST_PASSED, TEST_FAILED = 0, 1


@dataclass(frozen=True)
class Mutant:
    """One broken version."""

    name: str
    #: What is promised, as the docs say it.
    promise: str
    #: Below the root.
    file: str
    #: A piece of the file, there once, and what stands there in the broken version.
    old: str
    new: str
    #: Tests of which at least one must fail, as pytest takes them.
    tests: tuple[str, ...]

    def break_copy(self, root: Path) -> None:
        """Replace the piece in a copy of the tree.

        Raises:
            ValueError: the piece is not there exactly once.
        """
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: its piece stands {text.count(self.old)} times.")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


def load_mutants(path: Path = LIST) -> list[Mutant]:
    """Read the list of broken versions."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    return [
        Mutant(name=name, **entry | {"tests": tuple(entry["tests"])})
        for name, entry in entries.items()
    ]


def describe_mutants(mutants: Iterable[Mutant]) -> Iterator[str]:
    """Return the lines of the table in docs/reliability.md."""
    yield "| promise: its broken version | noticed by |"
    yield "|---|---|"
    for mutant in mutants:
        tests = ", ".join(f"`{test.removeprefix('tests/')}`" for test in mutant.tests)
        yield f"| {mutant.promise}: `{mutant.name}` in `{mutant.file}` | {tests} |"


@contextmanager
def copied_tree() -> Iterator[Path]:
    """Copy the files that git knows, or would add, to a folder of their own."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    with tempfile.TemporaryDirectory() as folder:
        for name in listed:
            source = ROOT / name
            if source.is_file():
                (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, Path(folder) / name)
        yield Path(folder)


def run_tests(root: Path, tests: Iterable[str]) -> subprocess.CompletedProcess[str]:
    """Run tests of a copy until one fails."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:randomly", *tests],
        cwd=root,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_SECONDS,
        check=False,
    )


def judge_mutant(root: Path, mutant: Mutant) -> str | None:
    """Break a copy, run its tests, mend it; None where they noticed, else what happened."""
    path = root / mutant.file
    whole_text = path.read_text(encoding="utf-8")
    mutant.break_copy(root)
    try:
        outcome = run_tests(root, mutant.tests)
    finally:
        path.write_text(whole_text, encoding="utf-8")
    if outcome.returncode == TEST_FAILED:
        return None
    if outcome.returncode == TEST_PASSED:
        return "nobody noticed"
    return f"the tests did not run:\n{outcome.stdout[-2000:]}{outcome.stderr[-1000:]}"


def main() -> int:
    """Try the broken versions, or print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of broken versions; all unless given")
    parser.add_argument("--list", action="store_true", help="print the table and end")
    arguments = parser.parse_args()
    mutants = load_mutants()
    if arguments.list:
        print("\n".join(describe_mutants(mutants)))
        return 0
    chosen = [m for m in mutants if not arguments.names or m.name in arguments.names]
    noticed = 0
    with copied_tree() as root:
        for mutant in chosen:
            trouble = judge_mutant(root, mutant)
            noticed += trouble is None
            print(f"{mutant.name}: {'noticed' if trouble is None else trouble}", flush=True)
    print(f"{noticed} of {len(chosen)} broken versions were noticed.")
    return int(noticed < len(chosen))


if __name__ == "__main__":
    sys.exit(main())
