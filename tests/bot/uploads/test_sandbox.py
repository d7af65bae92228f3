"""What a decoder that a file has taken over can do: each attack is tried in a confined process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.support.child_process import ChildProcess
from bot.uploads.pool import DecoderPool
from bot.uploads.sandbox import LANDLOCK, LIMITS, PROTECTIONS, SECCOMP
from bot.uploads.validation import ImageLimits
from tests.doubles.attacks import ATTACKS, DESCRIPTORS, LAST_DEEDS

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits differ elsewhere")


def start_decoder(*lacking: str) -> ChildProcess:
    command = [sys.executable, "-P", "-m", "tests.doubles.decoders", "1000000", "1000000", "10"]
    return ChildProcess([*command, *lacking], {"PYTHONPATH": str(ROOT)}, detached=True)


def run_attack(decoder: ChildProcess, name: str, path: Path) -> str:
    body = b"\0".join([b"attack", name.encode(), str(path).encode()])
    head, _ = decoder.send_request({"work": "check", "name": ""}, body, timeout_seconds=60)
    return str(head["words"])


def held_by(decoder: ChildProcess) -> list[str]:
    head, _ = decoder.send_request({"work": "protections", "name": ""}, timeout_seconds=60)
    return list(head["protections"])


@pytest.fixture(scope="module")
def confined() -> Iterator[ChildProcess]:
    decoder = start_decoder()
    if held_by(decoder) != list(PROTECTIONS):
        pytest.skip("this kernel has no Landlock, or this host no libseccomp")
    yield decoder
    decoder.shut_down()


@pytest.fixture(scope="module")
def limited() -> Iterator[ChildProcess]:
    """One on a kernel with neither Landlock nor seccomp."""
    decoder = start_decoder("py_landlock", "pyseccomp")
    yield decoder
    decoder.shut_down()


@pytest.fixture
def secret(tmp_path) -> Path:
    """A file that anybody may read and write, in a folder that anybody may write into."""
    path = tmp_path / ".env"
    path.write_text("DISCORD_TOKEN=secret", encoding="ascii")
    path.chmod(0o666)
    tmp_path.chmod(0o777)
    return path


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_attack_works_in_a_confined_decoder(confined, secret, attack):
    assert run_attack(confined, attack, secret) == "EPERM"
    assert secret.read_text(encoding="ascii") == "DISCORD_TOKEN=secret"
    assert os.listdir(secret.parent) == [secret.name]  # noqa: PTH208


@pytest.mark.parametrize("attack", DESCRIPTORS)
def test_without_landlock_and_seccomp_no_descriptor_is_come_by(limited, secret, attack):
    assert held_by(limited) == [LIMITS]
    assert run_attack(limited, attack, secret) not in ("it worked", "no number")


@pytest.mark.parametrize("attack", LAST_DEEDS)
@pytest.mark.parametrize("lacking", [(), ("py_landlock", "pyseccomp")])
def test_what_is_closed_makes_no_room(secret, attack, lacking):
    decoder = start_decoder(*lacking)
    assert run_attack(decoder, attack, secret) in ("EPERM", "EMFILE")
    decoder.shut_down()


def test_landlock_alone_keeps_paths_shut(secret):
    decoder = start_decoder("pyseccomp")
    if LANDLOCK not in held_by(decoder):
        pytest.skip("this kernel has no Landlock")
    for attack in ("delete a file", "rename a file", "make a folder", "link by name"):
        assert run_attack(decoder, attack, secret) in ("EACCES", "EPERM", "EXDEV")
    decoder.shut_down()


async def test_the_layers_that_hold_can_be_asked_for():
    intake = DecoderPool(ImageLimits(max_bytes=1 << 20, max_pixels=1 << 20), decoders=1)
    held = await intake.list_protections()
    intake.close()
    assert LIMITS in held
    assert set(held) <= {LIMITS, LANDLOCK, SECCOMP}
