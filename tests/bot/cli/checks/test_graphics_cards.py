"""Cards that the machine has and torch cannot use."""

from __future__ import annotations

import pytest

from bot.cli.checks.graphics_cards import card_memory_gb, check_cards
from inference.api.workers.cards import Card

CARD = Card(device="cuda:0", name="A card", memory_bytes=12 * 2**30)


@pytest.fixture
def machine(tmp_path):
    def build(*devices):
        for number, (vendor, kind) in enumerate(devices):
            folder = tmp_path / "devices" / str(number)
            folder.mkdir(parents=True)
            (folder / "vendor").write_text(f"{vendor}\n")
            (folder / "class").write_text(f"{kind}\n")
        return tmp_path / "devices", tmp_path / "driver"

    return build


def test_cards_that_torch_sees_are_well(machine):
    check = check_cards((CARD,), *machine(("0x10de", "0x030000")))
    assert (check.words, check.fix) == ("cuda:0 (A card, 12 GiB)", "")
    assert card_memory_gb((CARD,)) == 12
    assert card_memory_gb(()) is None


def test_no_card_is_no_fault(machine):
    assert check_cards((), *machine()).fix == ""
    assert check_cards((), *machine(("0x8086", "0x030000"), ("0x10de", "0x040300"))).fix == ""


def test_a_card_without_its_driver_is_said(machine):
    check = check_cards((), *machine(("0x8086", "0x030000"), ("0x10de", "0x030200")))
    assert check.words == "a card of NVIDIA is there, but torch cannot use it"
    assert "Install NVIDIA's driver" in check.fix


def test_a_torch_without_cuda_is_told_from_a_missing_driver(machine):
    devices, driver = machine(("0x10de", "0x030000"))
    driver.write_text("NVRM version")
    assert "a build without CUDA" in check_cards((), devices, driver).fix


def test_an_amd_card_wants_rocm(machine):
    assert "ROCm" in check_cards((), *machine(("0x1002", "0x038000"))).fix
