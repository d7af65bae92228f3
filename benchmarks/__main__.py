"""`python -m benchmarks [NAME …] [-- ARGUMENTS]`: run measurements one after another."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import benchmarks

PARTS = ("__main__", "load_formats", "sides", "table")


def main() -> None:
    """Run the named measurements, or all of them."""
    names = sorted(
        module.name
        for module in pkgutil.iter_modules(benchmarks.__path__)
        if module.name not in PARTS
    )
    chosen, arguments = sys.argv[1:], []
    if chosen and chosen[0] in names:
        chosen, arguments = chosen[:1], chosen[1:]
    elif chosen:
        sys.exit(f"There is no measurement {chosen[0]}; there are {', '.join(names)}.")
    for name in chosen or names:
        sys.argv = [name, *arguments]
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
