import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, resource, sys
from inference.worker.__main__ import keep_freed_memory
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
if sys.argv[1] == "kept":
    assert keep_freed_memory()
faults = []
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = ctypes.c_void_p(libc.malloc(64 * 2**20))
    ctypes.memset(block, 1, 64 * 2**20)
    libc.free(block)
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(faults[1])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_a_large_block_is_used_again():
    kept, given_back = (
        int(subprocess.check_output([sys.executable, "-c", PROGRAM, how], text=True))
        for how in ("kept", "given back")
    )
    assert kept < 10 < given_back


def test_other_allocators_are_left_alone(monkeypatch):
    from inference.worker import __main__

    monkeypatch.setattr(__main__.platform, "libc_ver", lambda: ("", ""))
    assert not __main__.keep_freed_memory()
