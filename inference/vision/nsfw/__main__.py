"""The checking process: `python -m inference.vision.nsfw MODELS_FOLDER`.

On its standard output it first says `{"checkers": {name: about}}`. For every picture it then reads
a line `{"bytes": n}` and n bytes, and answers with a line `{"score": 0.02}` or `{"error": words}`.
It ends with its input.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from inference.model_files.errors import ModelError
from inference.vision.nsfw.checker import NsfwChecker, find_checkers, highest_score


def serve_checks(source: BinaryIO, target: BinaryIO, checkers: Sequence[NsfwChecker]) -> None:
    """Answer until the input ends."""
    _write_message(target, {"checkers": {checker.name: checker.about for checker in checkers}})
    while line := source.readline():
        count = int(json.loads(line)["bytes"])
        data = source.read(count)
        if len(data) < count:
            return
        try:
            _write_message(target, {"score": highest_score(data, checkers)})
        except (OSError, ValueError, SyntaxError, ModelError) as error:
            _write_message(target, {"error": str(error)})


def _write_message(target: BinaryIO, message: dict[str, Any]) -> None:
    target.write(json.dumps(message).encode() + b"\n")
    target.flush()


def main(models: str) -> None:
    """Find the checkers, then serve; what libraries print goes to the error stream."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    target, sys.stdout = sys.stdout.buffer, sys.stderr
    serve_checks(sys.stdin.buffer, target, find_checkers(Path(models)))


if __name__ == "__main__":
    main(sys.argv[1])
