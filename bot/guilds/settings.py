"""What a server has set, decoded from what storage keeps."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from bot.errors import BadSetting
from bot.guilds.setting_types import (
    ChoiceSetting,
    DiscordId,
    DiscordIds,
    NumberSetting,
    PatternList,
    PerRoleNumber,
    SettingType,
    TextList,
)
from bot.i18n.message import gettext_noop

SETTING_TYPE_KEY = "kind"
AUTOMATIC_LANGUAGE = "automatic"
DAY_SECONDS = 86_400  # seconds: the whole of one GPU
MAX_QUOTA_SECONDS = 64 * DAY_SECONDS
#: Of the GPU, in ordinary members' shares; bounded, for other servers wait in the same queue.
MIN_GPU_SHARE, MAX_GPU_SHARE = 0.25, 4.0
GPU_SHARE_SETTING = NumberSetting(MIN_GPU_SHARE, MAX_GPU_SHARE, whole=False)


def _setting_field(default: Any, kind: SettingType) -> Any:
    if isinstance(default, dict):
        return dataclasses.field(default_factory=dict, metadata={SETTING_TYPE_KEY: kind})
    return dataclasses.field(default=default, metadata={SETTING_TYPE_KEY: kind})


@dataclass(frozen=True, kw_only=True)
class GuildSettings:
    """What a server has set; what is None or empty is left to the host."""

    #: Ids of the channels in which Easel may be used; empty for all.
    channels: frozenset[str] = _setting_field(frozenset(), DiscordIds("#"))
    #: Ids of the roles of which one is needed; empty for everyone.
    roles: frozenset[str] = _setting_field(frozenset(), DiscordIds("@&"))
    #: Id of the channel that is told of refusals, reports and what waits for a moderator.
    log_channel: str | None = _setting_field(None, DiscordId("#"))
    #: Whether results are for everyone in the channel, or for the member alone.
    visibility: str = _setting_field("public", ChoiceSetting(("public", "private")))
    #: In which language channels are answered; automatic is the one of the server in Discord.
    language: str = _setting_field(
        AUTOMATIC_LANGUAGE, ChoiceSetting((AUTOMATIC_LANGUAGE, "en", "de", "ja", "zh-CN"))
    )
    max_steps: int | None = _setting_field(None, NumberSetting(1, 150))
    max_megapixels: float | None = _setting_field(None, NumberSetting(0.01, 256, whole=False))
    max_batch: int | None = _setting_field(None, NumberSetting(1, 8))
    max_loops: int | None = _setting_field(None, NumberSetting(1, 32))
    #: What jobs take that name none of it, within the ceilings; None for the kind's own.
    default_steps: int | None = _setting_field(None, NumberSetting(1, 150))
    default_batch: int | None = _setting_field(None, NumberSetting(1, 8))
    default_loops: int | None = _setting_field(None, NumberSetting(1, 32))
    #: Jobs one member may have waiting or running.
    max_jobs: int | None = _setting_field(None, NumberSetting(1, 100))
    #: Jobs the whole server may have waiting or running.
    max_server_jobs: int | None = _setting_field(None, NumberSetting(1, 1000))
    #: GPU-seconds a member may use within 24 hours.
    quota: float | None = _setting_field(None, NumberSetting(1, MAX_QUOTA_SECONDS, whole=False))
    #: The same by role, in place of `quota`; who has several roles has the largest.
    role_quotas: Mapping[str, float] = _setting_field(
        {}, PerRoleNumber(NumberSetting(0, MAX_QUOTA_SECONDS, whole=False))
    )
    #: How many times an ordinary member's share of the GPU a role has while others wait, too; who
    #: has several roles has the largest.
    role_shares: Mapping[str, float] = _setting_field({}, PerRoleNumber(GPU_SHARE_SETTING))

    #: Names of the checkpoints that may be used; empty for all. The first stands in for the host's
    #: own where that is not among them.
    models: tuple[str, ...] = _setting_field((), TextList())
    #: Names of the LoRAs that may be used; empty for all.
    loras: tuple[str, ...] = _setting_field((), TextList())
    #: Words and phrases that no prompt may say; an asterisk at the end stands for any ending.
    banned_words: tuple[str, ...] = _setting_field((), TextList())
    #: Patterns of RE2 that no prompt may fit.
    banned_patterns: tuple[str, ...] = _setting_field((), PatternList())

    #: Days that jobs which ended and their pictures are kept, where the host keeps them longer.
    keep_days: float | None = _setting_field(None, NumberSetting(0.5, 3650, whole=False))
    #: What is done with pictures that are not for everybody, where no channel is age-restricted.
    nsfw_ordinary: str = _setting_field(
        "unchecked", ChoiceSetting(("unchecked", "block", "hold", "spoiler"))
    )
    #: The same in age-restricted channels.
    nsfw_restricted: str = _setting_field(
        "unchecked", ChoiceSetting(("unchecked", "spoiler", "hold", "block"))
    )
    #: How sure the check must be, from 0 to 1.
    nsfw_threshold: float = _setting_field(0.8, NumberSetting(0.05, 0.99, whole=False))

    @classmethod
    def from_stored(cls, settings: Mapping[str, Any]) -> Self:
        """Decode what storage keeps; unknown names are ignored."""
        kinds = list_setting_types()
        known_values = {
            name: kinds[name].load_stored(value)
            for name, value in settings.items()
            if name in kinds
        }
        return cls(**known_values)

    @property
    def has_private_results(self) -> bool:
        """Whether results are shown to their member alone."""
        return self.visibility == "private"

    def channel_language(self, guild_language: str) -> str:
        """Return the language of the server's channels, `guild_language` where it chose none."""
        return guild_language if self.language == AUTOMATIC_LANGUAGE else self.language


def list_setting_types() -> dict[str, SettingType]:
    """List what a server may set: name to kind, in the order of their declaration."""
    return {
        item.name: item.metadata[SETTING_TYPE_KEY] for item in dataclasses.fields(GuildSettings)
    }


def validate_changes(values: Mapping[str, Any]) -> dict[str, Any]:
    """Check values for settings by name and return what storage keeps; None takes one back.

    Raises:
        BadSetting: says which is unknown or impossible, and what would be possible.
    """
    return dict(_iter_changes(values))


def _iter_changes(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    kinds = list_setting_types()
    for name, value in values.items():
        if name not in kinds:
            near = difflib.get_close_matches(str(name), kinds, 1)
            setting_name = str(name)[:60]
            if near:
                words = gettext_noop("{name} is no setting, but {near} is")
                raise BadSetting(setting_name, words, near=near[0])
            raise BadSetting(setting_name, "{name} is no setting")
        yield name, None if value is None else kinds[name].parse_value(name, value)
