"""Networks: the `<lora:name:weight>` tags of a prompt, which name files instead of words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from inference.api.errors import JobError
from inference.api.prompts.attention import parse_weight

LORA_KINDS = frozenset({"lora", "lyco"})  # the web UI's two names for one mechanism

#: What a LoRA's tag can set behind its name: by place, or by these names.
LORA_ARGUMENTS = ("te", "unet", "dyn")
_ARGUMENT_NAMES = ("name", *LORA_ARGUMENTS)

_NETWORK_TAG = re.compile(r"<(\w+):([^<>]+)>")


@dataclass(frozen=True)
class ExtraNetworkTag:
    """One tag: its kind, the arguments in order, and those given as name=value."""

    kind: str
    arguments: tuple[str, ...]
    named_arguments: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The file's name as the tag gives it, spaces too; empty where it gives none."""
        name = self.arguments[0] if self.arguments else dict(self.named_arguments).get("name", "")
        return name if name.strip() else ""

    @property
    def is_lora(self) -> bool:
        """Whether it names a LoRA; telephones write a capital letter."""
        return self.kind.lower() in LORA_KINDS

    @property
    def unknown_arguments(self) -> tuple[str, ...]:
        """What stands in a LoRA's tag and means nothing here."""
        unknown_names = (
            f"{name}={value}" for name, value in self.named_arguments if name not in _ARGUMENT_NAMES
        )
        return (*self.arguments[len(_ARGUMENT_NAMES) :], *unknown_names)

    def __str__(self) -> str:
        keyword_texts = (f"{name}={value}" for name, value in self.named_arguments)
        return f"<{':'.join((self.kind, *self.arguments, *keyword_texts))}>"


@dataclass(frozen=True)
class LoraTag:
    """A LoRA and its weights in the text encoder and in the UNet; `dyn` is a rank to cut to."""

    name: str
    te: float = 1.0
    unet: float = 1.0
    dyn: int | None = None


def take_networks(text: str) -> tuple[str, tuple[ExtraNetworkTag, ...]]:
    """Take every tag out of a positive prompt; negative prompts keep theirs as plain text."""
    return _NETWORK_TAG.sub("", text), tuple(
        _parse_tag(match) for match in _NETWORK_TAG.finditer(text)
    )


def _parse_tag(match: re.Match[str]) -> ExtraNetworkTag:
    """Take a tag apart; what stands first is a file's name, an equals sign in it or not."""
    arguments: list[str] = []
    named_arguments: list[tuple[str, str]] = []
    for number, part in enumerate(match[2].split(":")):
        name, equals, value = part.partition("=")
        if equals and (number or name.strip() in _ARGUMENT_NAMES):
            named_arguments.append((name.strip(), value))
        else:
            arguments.append(part)
    return ExtraNetworkTag(match[1], tuple(arguments), tuple(named_arguments))


def read_loras(networks: Iterable[ExtraNetworkTag]) -> tuple[LoraTag, ...]:
    """Read the LoRA tags, in order: name, te, unet (te where unsaid), dyn; or by those names.

    Tags of other kinds are left out, and of several for one name the last holds.

    Raises: JobError for a tag without a name or with a weight that is no number.
    """
    lora_tags = [read_lora(network) for network in networks if network.is_lora]
    return tuple({lora.name: lora for lora in lora_tags}.values())


def read_lora(network: ExtraNetworkTag) -> LoraTag:
    """Read one LoRA tag.

    Raises: JobError for a tag without a name or with a weight that is no number.
    """
    if not network.name:
        raise JobError("prompt", "prompt.unnamed_lora", network=network)
    arguments = dict(zip(LORA_ARGUMENTS, network.arguments[1:], strict=False))
    arguments |= {name: value for name, value in network.named_arguments if name in LORA_ARGUMENTS}
    te = _parse_number(network, arguments.get("te", "1"))
    unet = _parse_number(network, arguments["unet"]) if "unet" in arguments else te
    dyn = int(_parse_number(network, arguments["dyn"])) if "dyn" in arguments else None
    return LoraTag(network.name, te, unet, dyn)


def _parse_number(network: ExtraNetworkTag, digits: str) -> float:
    weight = parse_weight(digits)
    if weight is None:
        values = {"digits": digits, "network": network, "name": network.name}
        raise JobError("prompt", "prompt.lora_weight", **values)
    return weight


def plain_lora_name(name: str) -> str:
    """Give a name as the field writes it into lists of hashes, which colons and commas part."""
    return name.replace(":", "").replace(",", "").strip()
