"""The checking process: `python -m inference.vision.nsfw MODELS_FOLDER`.

It answers every frame with one. `{"work": "checkers"}` is answered with `{"checkers": {name:
about}}`, `{"work": "score"}` and a picture's file with `{"score": 0.02}` or `{"error": words}`.
It ends with its input.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from inference.api import frames
from inference.api.parent_death import end_with_parent
from inference.model_files.errors import ModelError
from inference.vision.nsfw.checker import NsfwChecker, find_checkers, highest_score

MAX_IMAGE_BYTES = 1 << 30


def serve_checks(source: BinaryIO, target: BinaryIO, checkers: Sequence[NsfwChecker]) -> None:
    """Answer until the input ends."""
    while (frame := frames.read_frame(source, MAX_IMAGE_BYTES)) is not None:
        head, data = frame
        frames.write_frame(target, _answer_frame(str(head["work"]), data, checkers))


def _answer_frame(work: str, data: bytes, checkers: Sequence[NsfwChecker]) -> dict[str, Any]:
    if work == "checkers":
        return {"checkers": {checker.name: checker.about for checker in checkers}}
    try:
        return {"score": highest_score(data, checkers)}
    except (OSError, ValueError, SyntaxError, ModelError) as error:
        return {"error": str(error)}


def main(models: str) -> None:
    """Find the checkers, then serve; what libraries print goes to the error stream."""
    end_with_parent()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    target, sys.stdout = sys.stdout.buffer, sys.stderr
    serve_checks(sys.stdin.buffer, target, find_checkers(Path(models)))


if __name__ == "__main__":
    main(sys.argv[1])
