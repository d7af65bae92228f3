"""Count what can be read off the source about names, folders and imports.

    python tools/structure.py            the figures of docs/contributing.md
    python tools/structure.py --list     and what stands behind them, name by name

A *room* is a module or folder right below bot/ or inference/; an *arrow* says that one room imports
another, for the type checker's eyes or not. An arrow runs back if it points against the order of
floors that leaves the fewest such arrows.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("bot", "inference", "storage")
MAX_LINE = 100  # characters of a line of prose

#: Single words that do not say what a variable holds, participles in "-ed" aside.
FILLERS = frozenset(
    [
        "told",
        "kept",
        "own",
        "one",
        "ones",
        "given",
        "left",
        "shown",
        "found",
        "made",
        "most",
        "taken",
        "said",
        "asked",
        "seen",
        "held",
        "known",
        "done",
        "rest",
        "other",
        "others",
        "least",
        "gone",
        "written",
        "drawn",
        "chosen",
        "cut",
        "heard",
        "meant",
        "sent",
        "spoken",
        "broken",
        "hidden",
        "built",
        "put",
        "lost",
        "begun",
        "worn",
        "here",
        "there",
        "then",
        "now",
        "both",
        "each",
        "every",
        "mine",
        "this",
        "that",
        "these",
        "those",
        "more",
        "less",
        "such",
        "same",
        "enough",
        "much",
        "many",
        "few",
        "several",
        "which",
        "whose",
        "about",
        "after",
        "before",
        "beside",
        "along",
        "across",
        "inside",
        "outside",
        "until",
        "again",
        "apart",
        "alone",
        "together",
        "ready",
    ]
)
#: Words in "-ed" that are nouns, or the field's own terms.
NOT_PARTICIPLES = frozenset(["seed", "speed", "need", "feed", "red", "bed", "embed", "denoised"])
#: `left` is an edge where one of these stands beside it.
EDGES = frozenset(("right", "top", "bottom", "upper", "lower"))
#: Methods that discord.py or a protocol of Python's names.
HOOKS = frozenset(
    [
        "callback",
        "on_submit",
        "on_error",
        "interaction_check",
        "on_timeout",
        "from_custom_id",
        "setup_hook",
        "on_message",
        "on_ready",
        "forward",
        "main",
        "autocomplete",
        "emit",
        "cog_load",
    ]
)


@dataclass
class Names:
    """What the names of some modules are."""

    #: Functions, methods and classes, with the file of each definition.
    functions: defaultdict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    classes: defaultdict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    #: Parameters and local names of functions, one for each function that has it.
    variables: int = 0
    fillers: list[str] = field(default_factory=list)

    def add_module(self, path: Path) -> None:
        """Count the names of a module."""
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                self.classes[node.name].append(path)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                if not node.name.startswith("__"):
                    self.functions[node.name].append(path)
                self._add_variables(path, node)

    def _add_variables(self, path: Path, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        names = set(variables_of(function))
        self.variables += len(names)
        self.fillers += [
            f"{path.relative_to(ROOT)}:{function.name}: {name}"
            for name in sorted(names)
            if is_filler(name, names)
        ]

    def one_word_share(self) -> float:
        """Return the share of functions, methods and classes that are one word."""
        names = [name for kind in (self.functions, self.classes) for name in kind.items()]
        total = sum(len(paths) for _, paths in names)
        return sum(len(paths) for name, paths in names if len(split_name(name)) == 1) / total

    def repeated_functions(self) -> list[str]:
        """List functions that are defined in five or more files, hooks aside."""
        return [
            name
            for name, paths in self.functions.items()
            if len(set(paths)) >= 5 and name not in HOOKS
        ]

    def repeated_classes(self) -> list[str]:
        """List classes that are defined in two or more modules."""
        return [name for name, paths in self.classes.items() if len(set(paths)) >= 2]


def split_name(name: str) -> list[str]:
    """Split an identifier into its words."""
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z0-9]+", name)
    return words or [name]


def variables_of(function: ast.AST) -> Iterator[str]:
    """Yield the names of a function's parameters, and those bound in it or in functions within."""
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
    if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        arguments = function.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            if argument.arg not in ("self", "cls"):
                yield argument.arg


def is_filler(name: str, scope: Iterable[str] = ()) -> bool:
    """Whether a name is a bare participle or says nothing of what it holds."""
    word = name.strip("_")
    if len(split_name(word)) != 1 or (word == "left" and EDGES & set(scope)):
        return False
    return word in FILLERS or (word.endswith("ed") and word not in NOT_PARTICIPLES)


def list_sources(*packages: str) -> list[Path]:
    """List the modules of packages."""
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def count_arrows(package: str) -> tuple[set[str], set[tuple[str, str]]]:
    """Return the rooms of a package and its arrows between them."""
    rooms, arrows = set(), set()
    for path in list_sources(package):
        room = room_of(path.relative_to(ROOT).with_suffix("").parts)
        if room is None:
            continue
        rooms.add(room)
        for module in imported_modules(path):
            target = room_of(tuple(module.split(".")))
            if module.startswith(f"{package}.") and target not in (None, room):
                arrows.add((room, str(target)))
    return rooms, arrows


def room_of(parts: tuple[str, ...]) -> str | None:
    """Name the room that a module lies in; a package itself is none."""
    return parts[1] if len(parts) > 1 and parts[1] != "__init__" else None


def imported_modules(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, submodules by their own names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                place = ROOT / Path(*node.module.split("."), alias.name)
                is_module = place.is_dir() or place.with_suffix(".py").exists()
                yield f"{node.module}.{alias.name}" if is_module else node.module


def find_back_arrows(arrows: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the fewest arrows whose removal leaves no circle."""
    back = []
    for circle in find_circles(arrows):
        within = [arrow for arrow in arrows if circle.issuperset(arrow)]
        if len(circle) <= 8:
            orders: Iterable[tuple[str, ...]] = permutations(sorted(circle))
        else:
            orders = [tuple(order_greedily(circle, within))]
        turned = [against(order, within) for order in orders]
        back += sorted(turned, key=len)[0]
    return back


def against(order: tuple[str, ...], arrows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """List the arrows that point back in an order of rooms."""
    floor = {room: number for number, room in enumerate(order)}
    return [(start, end) for start, end in arrows if floor[start] > floor[end]]


def order_greedily(rooms: set[str], arrows: list[tuple[str, str]]) -> Iterator[str]:
    """Order rooms so that few arrows point back: next comes who sends most more than it gets."""
    rooms = set(rooms)
    while rooms:
        inner = [arrow for arrow in arrows if rooms.issuperset(arrow)]
        balance = Counter(start for start, _ in inner)
        balance.subtract(Counter(end for _, end in inner))
        first = max(sorted(rooms), key=lambda room: balance[room])
        yield first
        rooms.remove(first)


def find_circles(arrows: set[tuple[str, str]]) -> list[set[str]]:
    """Return the groups of rooms that reach each other."""
    targets = defaultdict(set)
    for start, end in arrows:
        targets[start].add(end)
    reach = {room: reachable(room, targets) for room in targets}
    groups = {
        frozenset(other for other in reach[room] if room in reach.get(other, ()))
        for room in targets
        if room in reach[room]
    }
    return [set(group) for group in groups]


def reachable(room: str, targets: dict[str, set[str]]) -> set[str]:
    """Return every room that arrows lead to."""
    reached: set[str] = set()
    waiting = [room]
    while waiting:
        for target in targets.get(waiting.pop(), set()) - reached:
            reached.add(target)
            waiting.append(target)
    return reached


def loose_modules() -> dict[str, int]:
    """Count the modules that lie loose in each folder."""
    counts = Counter(
        str(path.parent.relative_to(ROOT))
        for path in list_sources(*PACKAGES)
        if path.name != "__init__.py"
    )
    return dict(counts.most_common())


def long_prose_lines() -> list[str]:
    """List the lines of the docs over 100 characters, outside tables, code and links."""
    found = []
    pages = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "inference").rglob("*.md"),
    ]
    for page in pages:
        fenced = False
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            fenced ^= line.lstrip().startswith("```")
            plain = re.sub(r"\]\([^)]*\)", "]", line)
            if len(plain) > MAX_LINE and not fenced and not line.lstrip().startswith("|"):
                found.append(f"{page.relative_to(ROOT)}:{number}: {len(line)}")
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Count names, folders and imports.")
    parser.add_argument("--list", action="store_true", help="list what stands behind the figures")
    listing = parser.parse_args().list
    names = Names()
    sources = [ROOT / "main.py", *list_sources(*PACKAGES)]
    for path in sources:
        names.add_module(path)
    lines = sum(path.read_text(encoding="utf-8").count("\n") for path in sources)
    print(f"definitions of one word        {names.one_word_share():.1%}")
    share = len(names.fillers) / names.variables
    print(f"participles and fillers        {share:.2%} of {names.variables:,} variables")
    print(f"classes in two modules         {len(names.repeated_classes())}")
    print(f"functions in five files        {len(names.repeated_functions())}")
    for folder, count in [*loose_modules().items()][: None if listing else 5]:
        print(f"modules in {folder:<19} {count}")
    for package in ("bot", "inference"):
        rooms, arrows = count_arrows(package)
        back = find_back_arrows(arrows)
        print(f"{package}: {len(rooms)} rooms, {len(arrows)} arrows, {len(back)} back")
        if listing:
            print(*(f"  {start} -> {end}" for start, end in sorted(back)), sep="\n")
    print(f"lines of {len(sources)} sources           {lines:,}")
    print(f"prose lines over {MAX_LINE}           {len(long_prose_lines())}")
    if listing:
        print(*names.fillers, *names.repeated_classes(), *names.repeated_functions(), sep="\n")
        print(*long_prose_lines(), sep="\n")


if __name__ == "__main__":
    main()
