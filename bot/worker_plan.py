"""Which worker gets which card: read off the settings and the cards that are there."""

from __future__ import annotations

import hashlib
import os
import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bot.errors import SettingsError
from bot.setting_values import split_range
from bot.settings import Settings, split_list
from inference.api.commands import ConfigureLink
from inference.api.config import EngineConfig
from inference.api.version import find_version
from inference.api.workers.cards import Card, list_cards

#: Devices of which a machine has as many as it has, by number.
CARD_KINDS = ("cuda", "xpu")
#: The one device that any number of workers can share: its memory and cores are shared out.
PROCESSOR = "cpu"
AUTO = "auto"
#: Ray calls a node dead after 64 s without a sign of it.
MIN_CLUSTER_LEASE_SECONDS = 90
#: In the data directory; whoever has it runs code on every node.
TOKEN_FILE = "cluster-token"  # noqa: S105 - its name alone
MIN_TOKEN_BYTES = 32


@dataclass(frozen=True)
class WorkerPlan:
    """The devices of the workers to start."""

    #: One a worker, in their order: `cuda:0`, `cpu`; one named twice is shared.
    devices: tuple[str, ...]
    #: All cards that may be used; None where nobody could tell.
    cards: tuple[Card, ...] | None

    def configure_workers(self, config: EngineConfig) -> Iterator[EngineConfig]:
        """Make each worker's configuration of what all have in common."""
        counts = Counter(self.devices)
        for device in self.devices:
            yield replace(config, device=device, device_workers=counts[device])

    def describe_device(self, device: str) -> str:
        """Name a device with its maker's name and its memory, where they are known."""
        return next((str(card) for card in self.cards or () if card.device == device), device)


async def plan_workers(settings: Settings) -> WorkerPlan:
    """Share out the devices among the workers that the host asked for.

    Raises:
        SettingsError: a device is not here, or more workers are asked for than cards are.
    """
    devices = split_list(settings.device)
    needs_count = settings.workers != 0 and any(
        device == AUTO or device.startswith(CARD_KINDS) for device in devices
    )
    cards = await list_cards() if needs_count else ()
    return WorkerPlan(assign_devices(devices, settings.workers, cards), cards)


def plan_cluster(settings: Settings, config: EngineConfig) -> ConfigureLink:
    """Make the configuration of the process that speaks for a cluster's workers.

    Raises:
        SettingsError: the cluster's token is not here, or others may read it; or a setting does not
            go with a cluster.
    """
    if settings.lease_seconds < MIN_CLUSTER_LEASE_SECONDS:
        raise SettingsError(
            f"EASEL_LEASE_SECONDS must be {MIN_CLUSTER_LEASE_SECONDS} or more with EASEL_CLUSTER: "
            "a node may be out of reach for a minute and come back with its job."
        )
    if len(split_list(settings.device)) > 1 or ":" in settings.device:
        raise SettingsError(
            f"EASEL_DEVICE is {settings.device}, but nodes differ: with EASEL_CLUSTER it must be "
            "auto, or one of cuda, xpu and cpu. EASEL_CLUSTER_NEEDS says what a worker takes."
        )
    min_seats, max_seats = split_range(settings.cluster_workers)
    # Two bots of one cluster have workers of their own: their machines or their folders differ.
    place = f"{platform.node()}:{settings.data_dir.resolve()}"
    return ConfigureLink(
        config=replace(config, device=settings.device),
        address=settings.cluster,
        namespace=f"easel-{hashlib.sha256(place.encode()).hexdigest()[:12]}",
        token_path=str(find_token(settings.data_dir)),
        min_seats=min_seats,
        max_seats=max_seats,
        needs=settings.cluster_needs,
        rest_seconds=settings.worker_rest_seconds,
        version=find_version(),
    )


def find_token(data_dir: Path) -> Path:
    """Find the file with the cluster's token.

    Raises:
        SettingsError: it is not here, empty, or others may read it.
    """
    path = (data_dir / TOKEN_FILE).resolve()
    try:
        status = path.stat()
    except OSError:
        raise SettingsError(
            f"There is no cluster token {path}: `cluster head` makes it on the bot's machine; on "
            "every other one, copy it from there."
        ) from None
    if status.st_size < MIN_TOKEN_BYTES:
        raise SettingsError(f"{path} holds no token: copy it anew from the bot's machine.")
    if os.name == "posix" and status.st_mode & 0o077:
        raise SettingsError(f"Others may read the cluster's token: chmod 600 {path}")
    return path


def assign_devices(
    devices: Sequence[str], workers: int | None, cards: Sequence[Card] | None
) -> tuple[str, ...]:
    """Give each worker its device.

    Args:
        devices: as the host named them: `auto` and a kind of card stand for all of that kind.
        workers: at most so many, of which a processor takes any number; None for one a device.
        cards: those that may be used; None where nobody can tell.

    Raises:
        SettingsError: a device is not here, or more workers are asked for than cards are.
    """
    if workers == 0:
        return ()
    places = tuple(place for device in devices for place in _resolve_device(device, cards))
    if workers is None or workers <= len(places):
        return places[:workers]
    if len(places) == 1 and places[0] in (PROCESSOR, AUTO):
        return places * workers
    raise SettingsError(
        f"EASEL_WORKERS is {workers}, but the workers have {len(places)} "
        f"device{'s' if len(places) > 1 else ''}: {', '.join(places)}. One worker runs several "
        "jobs at once, so one a card is enough: leave EASEL_WORKERS empty. To have workers share a "
        f"card and its memory all the same, name it more than once: "
        f"EASEL_DEVICE={','.join([*places, places[0]])}"
    )


def _resolve_device(device: str, cards: Sequence[Card] | None) -> tuple[str, ...]:
    names = [card.device for card in cards or ()]
    if device == AUTO:
        kinds = (tuple(name for name in names if name.startswith(kind)) for kind in CARD_KINDS)
        return next(filter(None, kinds), (AUTO,))
    kind = device.partition(":")[0]
    if kind not in CARD_KINDS or cards is None or device in names:
        return (device,)
    places = tuple(name for name in names if name.startswith(kind)) if device == kind else ()
    if places:
        return places
    if not cards:
        raise SettingsError(
            f"EASEL_DEVICE names {device}, but torch sees no card here. Set it to auto or cpu; "
            "`easel doctor` tells more."
        )
    raise SettingsError(
        f"EASEL_DEVICE names {device}, but there are: {', '.join(map(str, cards))}. Set it to auto "
        "to use what there is; `easel doctor` tells more."
    )
