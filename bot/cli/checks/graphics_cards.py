"""Graphics cards as the machine has them, beside those that torch can use: where no driver is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.cli.checks.check_result import CheckResult
from inference.api.workers.cards import Card

#: Where Linux lists its devices, each with its maker and class by number.
PCI_DEVICES = Path("/sys/bus/pci/devices")
DISPLAY_CLASS = "0x03"
#: Makers of cards that torch can use, and what is to be done where it sees none of them.
DRIVER_HINTS = {
    "0x10de": (
        "NVIDIA",
        "Install NVIDIA's driver from your system's packages and restart the machine; `nvidia-smi` "
        "must list the card. In a container, give it the card (see docs/hosting.md).",
    ),
    "0x1002": (
        "AMD",
        "Install ROCm and torch's build for it (https://pytorch.org/get-started/locally/); this "
        "user must be in the groups render and video.",
    ),
}
CPU_BUILD_HINT = (
    "The driver is there, but this torch is a build without CUDA. Install the other one: "
    "pip install --force-reinstall torch torchvision"
)
#: What NVIDIA's driver shows once it runs.
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


def list_card_makers(devices: Path = PCI_DEVICES) -> set[str]:
    """List the makers of the machine's cards by number; empty where the system does not say."""
    makers = set()
    for device in devices.iterdir() if devices.is_dir() else ():
        try:
            if (device / "class").read_text(encoding="ascii").startswith(DISPLAY_CLASS):
                makers.add((device / "vendor").read_text(encoding="ascii").strip())
        except OSError:  # one that was taken out meanwhile
            continue
    return makers & DRIVER_HINTS.keys()


def check_cards(
    cards: Sequence[Card], devices: Path = PCI_DEVICES, driver: Path = NVIDIA_DRIVER
) -> CheckResult:
    """Say which cards torch can use, and what is to be done where the machine has another."""
    if cards:
        return CheckResult("Card", ", ".join(map(str, cards)))
    makers = sorted(list_card_makers(devices))
    if not makers:
        return CheckResult("Card", "none; the processor draws, slowly")
    title, hint = DRIVER_HINTS[makers[-1]]
    if title == "NVIDIA" and driver.exists():
        hint = CPU_BUILD_HINT
    return CheckResult("Card", f"a card of {title} is there, but torch cannot use it", hint)


def card_memory_gb(cards: Sequence[Card] | None) -> float | None:
    """Give the GiB of the card with the most memory; None where there is none."""
    return max((card.memory_bytes / 2**30 for card in cards or ()), default=None)
