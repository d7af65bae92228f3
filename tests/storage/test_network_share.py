from __future__ import annotations

import sys
from pathlib import Path

import pytest

from storage.disk.network_share import MOUNTS_FILE, find_network_share

MOUNTS = r"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 0:50 / /srv/share rw,relatime shared:7 - nfs4 nas:/volume rw,vers=4.2
41 40 254:1 / /srv/share/local rw,relatime - ext4 /dev/vdb rw
42 27 0:51 / /mnt/my\040pictures rw - 9p drvfs rw,dirsync
43 27 254:2 / /data rw - ext4 /dev/vdc rw
44 43 0:52 / /data rw master:1 - fuse.sshfs me@there: rw
torn
""".lstrip()

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such file")


@pytest.mark.parametrize(
    ("path", "share"),
    [
        ("/home/easel/data", ""),
        ("/srv/share/easel/data", "nfs4"),
        ("/srv/share", "nfs4"),
        ("/srv/shared", ""),
        ("/srv/share/local/data", ""),
        ("/mnt/my pictures/data", "9p"),
        ("/data/easel", "fuse.sshfs"),
    ],
)
def test_the_deepest_and_last_mount_counts(tmp_path, path, share):
    mounts_file = tmp_path / "mountinfo"
    mounts_file.write_text(MOUNTS)

    assert find_network_share(Path(path), mounts_file) == share


def test_where_nobody_can_tell_none_is_named(tmp_path):
    assert find_network_share(tmp_path, tmp_path / "nowhere") == ""


@pytest.mark.skipif(not MOUNTS_FILE.exists(), reason="this system has no list of mounts")
def test_a_way_through_a_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    mounts_file = tmp_path / "mountinfo"
    mounts_file.write_text(f"1 0 0:1 / {tmp_path}/real rw - nfs nas:/ rw\n")

    assert find_network_share(tmp_path / "link" / "data", mounts_file) == "nfs"
