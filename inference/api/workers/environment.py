"""What a worker's process sees of the machine: no token, no network, its own card alone."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

#: Of variables that are the bot's alone: its settings, its secrets, its service manager; and of a
#: cluster's, whose token may be among them.
PRIVATE_PREFIXES = (
    "DISCORD_",
    "EASEL_",
    "RAY_",
    "CREDENTIALS_DIRECTORY",
    "NOTIFY_SOCKET",
    "WATCHDOG_",
)
#: Of a cluster's variables, those by which what travels is encrypted.
TLS_VARIABLES = ("RAY_USE_TLS", "RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_CA_CERT")
CARD_PATTERN = re.compile(r"(cuda|xpu):(\d{1,3})")
#: What a runtime shows of the cards by: its own variables, where the first that is set counts. HIP
#: goes by the name of CUDA in torch and reads CUDA's variable where its own is not set.
CUDA_VARIABLES = {
    "CUDA_VISIBLE_DEVICES": ("CUDA_VISIBLE_DEVICES",),
    "HIP_VISIBLE_DEVICES": ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"),
}
#: By which torch is told how to keep a card's memory, and by which it was before.
ALLOCATOR_VARIABLES = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
XPU_MASK, XPU_SELECTOR = "ZE_AFFINITY_MASK", "ONEAPI_DEVICE_SELECTOR"
XPU_SELECTOR_PATTERN = re.compile(r"(level_zero|opencl):\d+(,\d+)*")


def isolate_card(device: str, bot_environment: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Say what a worker on a numbered card calls its device, and by which variables it sees that.

    It sees its card alone, as the first. A card's number counts within what the bot's own variables
    show, so of those a worker gets one entry, whether it is a number or a UUID.
    """
    card = CARD_PATTERN.fullmatch(device)
    if card is None:
        return device, {}
    kind, number = card[1], int(card[2])
    if kind == "xpu":
        return kind, _isolate_xpu(number, bot_environment)
    variables = {}
    for variable, sources in CUDA_VARIABLES.items():
        visible = next((bot_environment[name] for name in sources if name in bot_environment), None)
        variables[variable] = _visible_entry(visible, number)
    return kind, variables


def _isolate_xpu(number: int, bot_environment: Mapping[str, str]) -> dict[str, str]:
    selector = bot_environment.get(XPU_SELECTOR, "")
    if XPU_SELECTOR_PATTERN.fullmatch(selector):
        # It selects by number among what the mask shows, so the mask stays.
        backend, _, numbers = selector.partition(":")
        return {XPU_SELECTOR: f"{backend}:{_visible_entry(numbers, number)}"}
    return {XPU_MASK: _visible_entry(bot_environment.get(XPU_MASK), number)}


def _visible_entry(visible: str | None, number: int) -> str:
    """Give the entry of a list of visible cards by which the card of that number is shown."""
    entries = [] if visible is None else [entry.strip() for entry in visible.split(",")]
    return entries[number] if number < len(entries) else str(number)


def module_command(module: str, *arguments: str) -> tuple[str, ...]:
    """Make the command that runs one of our modules, and never one of the working directory's.

    It finds ours by the `PYTHONPATH` of `child_environment` or `importable_environment`.
    """
    return (sys.executable, "-P", "-m", module, *arguments)


def allocator_variables(bot_environment: Mapping[str, str]) -> dict[str, str]:
    """Have torch's memory on a card grow where it lies, unless the host has said otherwise.

    Pictures of many sizes leave gaps between blocks of fixed size, which no other size fits.
    """
    is_said = any(name in bot_environment for name in ALLOCATOR_VARIABLES)
    if is_said or not sys.platform.startswith("linux"):
        return {}
    return {ALLOCATOR_VARIABLES[0]: "expandable_segments:True"}


def find_tls_variables(bot_environment: Mapping[str, str]) -> dict[str, str]:
    """Find what the host has said of a cluster's certificates: for Ray's own processes alone."""
    return {name: bot_environment[name] for name in TLS_VARIABLES if name in bot_environment}


def importable_environment(bot_environment: Mapping[str, str]) -> dict[str, str]:
    """Make the environment of a child that may see what the bot sees; ours are importable."""
    root = str(Path(__file__).resolve().parents[3])
    paths = [root, *filter(None, bot_environment.get("PYTHONPATH", "").split(os.pathsep))]
    return {**bot_environment, "PYTHONPATH": os.pathsep.join(paths)}


def child_environment(bot_environment: Mapping[str, str], **variables: str) -> dict[str, str]:
    """Make a child's environment: no token of ours, no network, our packages importable."""
    environment = {
        name: value
        for name, value in bot_environment.items()
        if not name.startswith(PRIVATE_PREFIXES)
    }
    return {**importable_environment(environment), "HF_HUB_OFFLINE": "1", **variables}
