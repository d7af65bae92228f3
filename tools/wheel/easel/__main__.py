"""The command `easel`, and `python -m easel`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def main() -> int:
    """Run Easel's command line from where its code lies."""
    app = FOLDER / "app"
    # An editable install has no copy: this file lies in the checkout, in tools/wheel/easel.
    root = app if app.is_dir() else FOLDER.parents[2]
    sys.path.insert(0, str(root))
    exit_code: int = importlib.import_module("main").main()
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
