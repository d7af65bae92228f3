"""Whether a folder lies on another machine's disk, where SQLite's log can lose what was stored."""

from __future__ import annotations

import re
import sys
from pathlib import Path

MOUNTS_FILE = Path("/proc/self/mountinfo")
#: As Linux calls them: NFS, Windows' shares, hosts' folders in virtual machines and WSL, clusters.
NETWORK_FILE_SYSTEMS = frozenset(
    [
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs", "coda"),
        *("9p", "drvfs", "virtiofs", "vboxsf", "vmhgfs", "prl_fs"),
        *("ceph", "glusterfs", "lustre", "beegfs", "gpfs", "ocfs2", "gfs2", "orangefs"),
        *("fuse.sshfs", "fuse.s3fs", "fuse.rclone", "fuse.glusterfs", "fuse.vmhgfs-fuse"),
        *("fuse.grpcfuse", "fuse.osxfs", "fakeowner"),
    ]
)
_ESCAPE_PATTERN = re.compile(r"\\([0-7]{3})")


def find_network_share(path: Path, mounts_file: Path = MOUNTS_FILE) -> str:
    """Name the kind of network share that a path lies on; empty for none, or where none can tell.

    Source: proc_pid_mountinfo(5).
    """
    if sys.platform == "win32":
        return "Windows' share" if str(path.absolute()).startswith("\\\\") else ""
    try:
        lines = mounts_file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        place = path.resolve()
    except OSError:
        return ""
    # The mount whose folder is deepest counts, and of several on one folder the last.
    best = (Path(), "")
    for line in lines:
        fields, _, source = line.partition(" - ")
        if not source:
            continue
        folder = Path(_ESCAPE_PATTERN.sub(lambda code: chr(int(code[1], 8)), fields.split()[4]))
        if place.is_relative_to(folder) and len(folder.parts) >= len(best[0].parts):
            best = (folder, source.split()[0])
    return best[1] if best[1] in NETWORK_FILE_SYSTEMS else ""


def warn_of_share(share: str) -> str:
    """Say what a network share does to what is stored, and what to change."""
    return (
        f"It lies on a network share ({share}), where SQLite's log is not safe: jobs can be lost. "
        "Set EASEL_DATA_DIR to a folder on this machine's own disk; models may stay where they are."
    )
