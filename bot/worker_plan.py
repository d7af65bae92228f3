"""Which worker gets which card: read off the settings and the cards that are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bot.errors import SettingsError
from bot.settings import Settings, split_list
from inference.api.config import EngineConfig
from inference.api.workers.cards import Card, list_cards

#: Devices of which a machine has as many as it has, by number.
CARD_KINDS = ("cuda", "xpu")
#: The one device that any number of workers can share: its memory and cores are shared out.
PROCESSOR = "cpu"
AUTO = "auto"


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
