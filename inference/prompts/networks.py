"""Networks: the `<lora:name:weight>` tags of a prompt, which name files instead of words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from inference.errors import JobError
from inference.prompts.attention import parse_weight

LORA_KINDS = frozenset({"lora", "lyco"})  # the web UI's two names for one mechanism

_TAG = re.compile(r"<(\w+):([^<>]+)>")


@dataclass(frozen=True)
class Network:
    """One tag: its kind, the arguments in order, and those given as name=value."""

    kind: str
    arguments: tuple[str, ...]
    named: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The file's name as the tag gives it; empty where it gives none."""
        return self.arguments[0].strip() if self.arguments else dict(self.named).get("name", "")

    def __str__(self) -> str:
        named = (f"{name}={value}" for name, value in self.named)
        return f"<{':'.join((self.kind, *self.arguments, *named))}>"


@dataclass(frozen=True)
class Lora:
    """A LoRA and its weights in the text encoder and in the UNet; `dyn` is a rank to cut to."""

    name: str
    te: float = 1.0
    unet: float = 1.0
    dyn: int | None = None


def take_networks(text: str) -> tuple[str, tuple[Network, ...]]:
    """Take every tag out of a positive prompt; negative prompts keep theirs as plain text."""
    return _TAG.sub("", text), tuple(_network(match) for match in _TAG.finditer(text))


def _network(match: re.Match[str]) -> Network:
    parts = match[2].split(":")
    named = [tuple(part.split("=", 1)) for part in parts if "=" in part]
    arguments = tuple(part for part in parts if "=" not in part)
    return Network(match[1], arguments, tuple((name.strip(), value) for name, value in named))


def loras(networks: Iterable[Network]) -> tuple[Lora, ...]:
    """Read the LoRA tags, in order: name, te, unet (te where unsaid), dyn; or by those names.

    Tags of other kinds are left out, and of several for one name the last holds.

    Raises: JobError for a tag without a name or with a weight that is no number.
    """
    found = [read_lora(network) for network in networks if network.kind in LORA_KINDS]
    return tuple({lora.name: lora for lora in found}.values())


def read_lora(network: Network) -> Lora:
    """Read one LoRA tag.

    Raises: JobError for a tag without a name or with a weight that is no number.
    """
    if not network.name:
        raise JobError("prompt", f"{network} names no LoRA; write <lora:name:0.8>.")
    given = dict(zip(("te", "unet", "dyn"), network.arguments[1:], strict=False))
    given |= {name: value for name, value in network.named if name in ("te", "unet", "dyn")}
    te = _number(network, given.get("te", "1"))
    unet = _number(network, given["unet"]) if "unet" in given else te
    dyn = int(_number(network, given["dyn"])) if "dyn" in given else None
    return Lora(network.name, te, unet, dyn)


def _number(network: Network, digits: str) -> float:
    weight = parse_weight(digits)
    if weight is None:
        words = f"“{digits}” in {network} is not a number; write <lora:{network.name}:0.8>."
        raise JobError("prompt", words)
    return weight
