"""Keep what is stored for its owner alone, where the system knows who may read what."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

logger = logging.getLogger(__name__)

OWNER_ONLY_FOLDER_MODE, OWNER_ONLY_FILE_MODE = 0o700, 0o600
OTHERS_RIGHTS = stat.S_IRWXG | stat.S_IRWXO


def make_private_folder(folder: Path) -> None:
    """Make a folder that its owner alone may enter; one that is there is tightened."""
    folder.mkdir(mode=OWNER_ONLY_FOLDER_MODE, parents=True, exist_ok=True)
    restrict_to_owner(folder)


def restrict_to_owner(path: Path) -> None:
    """Take everybody else's rights to a file or folder; what is not ours is left, and logged.

    A folder that all may write into, such as `/tmp`, is nobody's own and stays as it is.
    """
    mode = path.stat().st_mode
    if os.name != "posix" or not mode & OTHERS_RIGHTS or mode & stat.S_ISVTX:
        return
    try:
        path.chmod(stat.S_IMODE(mode) & ~OTHERS_RIGHTS)
    except OSError as error:
        logger.warning(
            "Others on this machine may read %s, and that cannot be changed: %s.",
            path,
            error.strerror,
            extra={"action": "not_private"},
        )
