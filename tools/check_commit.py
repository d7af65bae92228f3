"""Look at files before they are committed: `python tools/check_commit.py FILE…`.

Says which hold something in the shape of a secret, by the shapes that logs are cleaned of, and
which are large. Exits with 1 when there are any.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":  # run as a file, for which the tree is not yet on the path
    sys.path.insert(0, str(Path(__file__).parent.parent))

from bot.support.redaction import SECRET_PATTERNS

#: Shapes that need no word before them: code is full of `token = …` and of addresses.
SHAPES = [
    pattern
    for pattern, _ in SECRET_PATTERNS
    if not re.search("token|secret|earer", pattern.pattern)
]
MAX_BYTES = 1024 * 1024
#: The starter models and the lock are large by nature.
LARGE_FILES = ("inference/starter/", "docs/", "uv.lock")
#: Files that show made-up secrets, on purpose.
SECRET_FILES = ("tests/", "bot/support/redaction.py")


def find_problems(paths: Sequence[Path]) -> list[str]:
    """List what should not be committed, a line each; paths are from the top of the tree."""
    problems = []
    for path in paths:
        content = path.read_bytes()
        name = path.as_posix()
        if len(content) > MAX_BYTES and not name.startswith(LARGE_FILES):
            problems.append(f"{name}: {len(content) / 2**20:.1f} MiB; keep large files elsewhere")
        if b"\0" in content or name.startswith(SECRET_FILES):
            continue
        lines = content.decode("utf-8", errors="replace").splitlines()
        problems += [
            f"{name}:{number}: looks like a secret"
            for number, line in enumerate(lines, 1)
            if any(shape.search(line) for shape in SHAPES)
        ]
    return problems


def main() -> int:
    """Print what was found."""
    problems = find_problems([Path(name) for name in sys.argv[1:]])
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
