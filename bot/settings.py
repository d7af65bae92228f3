"""The host's choices: the only reader of the environment and of `.env`."""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.errors import SettingsError
from bot.setting_values import check_address, split_range
from bot.support.paths import ENV_FILE_ENCODING, HOME_VARIABLE, HostPaths, find_host_paths
from inference.api.config import MAX_BATCH
from inference.api.jobs.limits import MAX_JOB_PICTURES, MAX_PROMPT_PARTS

ENV_PREFIX = "EASEL_"
#: How alike a name must be to be taken for a mistyped one, from 0 to 1.
TYPO_CUTOFF = 0.8
DEVICE_PATTERN = re.compile(r"cpu|mps|(cuda|xpu)(:\d{1,3})?")
CLUSTER_PATTERN = re.compile(r"[A-Za-z0-9.-]+:\d{2,5}")
MAX_CLUSTER_WORKERS = 64
DISCORD_ID_PATTERN = re.compile(r"[1-9][0-9]{4,19}")


class Settings(BaseSettings):
    """What a host may set; read once, at the start, and never changed."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_file=".env",
        env_file_encoding=ENV_FILE_ENCODING,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
        populate_by_name=True,
    )

    discord_token: SecretStr | None = Field(
        None,
        validation_alias="DISCORD_TOKEN",
        description="The bot's token, from the Discord developer portal; only `run` needs it.",
    )
    discord_token_file: Path | None = Field(
        None,
        validation_alias="DISCORD_TOKEN_FILE",
        description="A file with the token instead; without either, `discord_token` in systemd's "
        "credentials or in /run/secrets is taken.",
    )
    data_dir: Path = Field(
        Path("data"),
        description="Where the database, the pictures and the models are kept; an installed Easel "
        "keeps them in EASEL_HOME, or in the system's folder for data.",
    )
    keep_days: float = Field(
        90,
        ge=0,
        le=36_500,
        description="Days that ended jobs and their pictures are kept; 0 keeps them until somebody "
        "deletes them.",
    )
    member_storage_gb: float = Field(
        1,
        ge=0,
        description="GiB that one member's pictures may take on the disk; the oldest ended jobs go "
        "first. 0 for no bound.",
    )
    backup_hours: float = Field(
        0,
        ge=0,
        le=8760,
        description="Hours between two backups that the running bot writes; 0 for none.",
    )
    backups_kept: int = Field(7, ge=1, le=1000, description="How many of those backups are kept.")
    backup_dir: Path | None = Field(
        None,
        description="Where they go, best on another disk; empty for `backups` in the data "
        "directory.",
    )
    model: str = Field(
        "starter",
        description="The checkpoint: `starter`, a registry name, a folder or a .safetensors file.",
    )
    models_dir: Path | None = Field(
        None, description="Where checkpoints lie; empty for `models` in the data directory."
    )
    wordlists_dir: Path | None = Field(
        None,
        description="Where the lists of words lie that prompts draw from; empty for `wildcards` in "
        "the data directory.",
    )
    device: str = Field(
        "auto",
        description="`auto` for every graphics card, else the processor; `cuda` (NVIDIA, and AMD "
        "by ROCm) or `xpu` (Intel) for every card of that kind; `cuda:1` or `cuda:0,cuda:2` for "
        "those alone; `mps` or `cpu`. Each worker has a card of its own.",
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Number format of the networks: auto, float32, bfloat16 or float16."
    )
    weights_gb: float = Field(
        0,
        ge=0,
        description="GiB of weights that a worker keeps loaded; 0 takes a share of the device's "
        "memory.",
    )
    low_memory: Literal["none", "medvram", "lowvram"] = Field(
        "none",
        description="For small cards: medvram keeps only the part at work on it, lowvram only a "
        "block; slower.",
    )
    weight_format: Literal["auto", "full", "fp8"] = Field(
        "auto",
        description="In what the large layers of flow transformers (FLUX.1 and its like) are held: "
        "full, fp8 for half the memory, or auto for fp8 where no more fits.",
    )
    compile: Literal["off", "on"] = Field(
        "off",
        description="on compiles networks for the sizes they often run in, faster from then on: "
        "a minute of work and more for each. On a processor it takes a C++ compiler.",
    )
    non_commercial: Literal["off", "on"] = Field(
        "off",
        description="on runs networks whose licence forbids any use that earns money (CodeFormer): "
        "say it only where nothing is earned.",
    )
    list_lines: int = Field(
        1500,
        ge=0,
        description="Lines of a list of phrases that /interrogate ranks; 0 for all, each of which "
        "is encoded once.",
    )
    threads: int = Field(
        0,
        ge=0,
        le=1024,
        description="Threads of a worker on the processor; 0 shares all cores out among the "
        "workers.",
    )
    max_batch: int = Field(
        MAX_BATCH,
        ge=1,
        le=64,
        description="Pictures that go through a network together at most; fewer take less memory.",
    )
    deterministic: Literal["off", "on"] = Field(
        "off",
        description="on runs every job alone, so that it comes out the same to the bit whatever "
        "else is asked for; slower with several members.",
    )
    workers: int | None = Field(
        None,
        ge=0,
        le=64,
        description="Worker processes: empty for one a card, or one where there is none; fewer "
        "leave the last cards free; more need a processor, or cards named more than once. With 0 "
        "jobs wait in the queue.",
    )
    worker_rest_seconds: float = Field(
        600,
        ge=1,
        description="How long a worker that died three times within ten minutes is left alone.",
    )
    allowed_members: str = Field(
        "",
        description="Ids of the members who are served, with commas between; empty for everyone. "
        "/access adds to this and to the next three while the bot runs.",
    )
    blocked_members: str = Field("", description="Ids of members who are not served anywhere.")
    allowed_servers: str = Field(
        "", description="Ids of the servers that are served; empty for every one."
    )
    blocked_servers: str = Field("", description="Ids of servers that are not served.")
    direct_messages: Literal["on", "off"] = Field(
        "on", description="off takes no jobs in direct messages."
    )
    direct_message_members: str = Field(
        "", description="Ids of the members who may ask in direct messages; empty for everyone."
    )
    direct_message_words: str = Field(
        "",
        description="Words and phrases that no prompt in a direct message may say, with commas "
        "between, as in /settings word.",
    )
    direct_message_nsfw: Literal["unchecked", "spoiler", "block"] = Field(
        "unchecked",
        description="What is done in direct messages with pictures that the check finds not for "
        "everybody: unchecked, spoiler or block.",
    )
    max_queued_per_member: int = Field(
        10, ge=1, description="Jobs one member may have waiting at once."
    )
    max_queued_per_server: int = Field(
        100, ge=1, description="Jobs one server may have waiting at once."
    )
    max_queued_total: int = Field(1000, ge=1, description="Jobs that may wait at once in all.")
    max_prompt_parts: int = Field(
        MAX_PROMPT_PARTS,
        ge=1,
        le=64,
        description="Prompts joined by AND in one prompt; each costs every step one more pass "
        "through the network.",
    )
    max_job_pictures: float = Field(
        MAX_JOB_PICTURES,
        gt=0,
        description="Work of one job, in ordinary pictures (512 x 512 in 20 steps).",
    )
    max_upload_mb: float = Field(
        25, gt=0, le=500, description="Largest attachment that is read, in MiB."
    )
    max_pixels: int = Field(
        32_000_000, ge=4096, description="Largest picture that is decoded, width times height."
    )
    preview_steps: int = Field(
        5, ge=0, le=150, description="Steps between two looks at an unfinished picture; 0 for none."
    )
    lease_seconds: float = Field(
        300,
        ge=5,
        description="A job that its worker says nothing of for so long goes back to the queue, and "
        "a worker that says nothing at all is replaced; above any one step and the loading of a "
        "model.",
    )
    cluster: str = Field(
        "",
        description="The Ray cluster whose nodes run the workers, as `HOST:6379`, or `auto` where "
        "its head runs on this machine; empty for workers of this machine (extra: cluster).",
    )
    cluster_workers: str = Field(
        "1",
        description="Workers on the cluster; `1-16` for as many as the work that waits is worth, "
        "between the two.",
    )
    cluster_needs: dict[str, float] = Field(
        {"GPU": 1},
        description='What a worker takes of its node, as Ray counts it: `{"GPU": 1}`, or '
        '`{"CPU": 8}` for nodes without a card.',
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="console for people, or json, one object a line."
    )
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port on this machine alone for Prometheus; empty for none (extra: metrics).",
    )
    page_url: str | None = Field(
        None,
        description="Public address of the page to draw masks on, as members' browsers reach it; "
        "plain http only on this machine. Empty for no page.",
    )
    page_address: str = Field(
        "127.0.0.1",
        description="Address of this machine that the page listens on, behind what serves it to "
        "the public: `0.0.0.0` in a container.",
    )
    page_port: int = Field(8632, ge=1, le=65535, description="Port that the page listens on.")
    hub_url: str = Field(
        "https://huggingface.co",
        description="The hub that `models pull` fetches from: a mirror of Hugging Face's; plain "
        "http only on this machine.",
    )
    hub_token_file: Path | None = Field(
        None,
        description="A file with a token of the hub that may read, for models whose licence must "
        "be accepted there; `~/.cache/huggingface/token` where its own program logged in.",
    )
    dev_guild: int | None = Field(
        None, description="Id of one server to sync commands to, for development."
    )
    discord_api_base: str | None = Field(
        None,
        validation_alias="DISCORD_API_BASE",
        description="Another address for Discord's API; plain http only on this machine.",
    )
    discord_gateway_url: str | None = Field(
        None,
        validation_alias="DISCORD_GATEWAY_URL",
        description="Another address for Discord's gateway; plain ws only on this machine.",
    )

    notify_socket: str | None = Field(None, validation_alias="NOTIFY_SOCKET", exclude=True)
    watchdog_usec: int | None = Field(None, validation_alias="WATCHDOG_USEC", gt=0, exclude=True)
    credentials_dir: Path | None = Field(
        None, validation_alias="CREDENTIALS_DIRECTORY", exclude=True
    )
    _paths: HostPaths = PrivateAttr(default_factory=lambda: find_host_paths({}))

    @field_validator(
        "allowed_members",
        "blocked_members",
        "allowed_servers",
        "blocked_servers",
        "direct_message_members",
    )
    @classmethod
    def _check_ids(cls, value: str) -> str:
        for entry in split_list(value):
            if not DISCORD_ID_PATTERN.fullmatch(entry):
                raise ValueError(f"{entry!r} is no Discord id, which is a long number")
        return value

    @field_validator("device")
    @classmethod
    def _check_device(cls, value: str) -> str:
        devices = split_list(value)
        if devices != ("auto",):
            unknown = [name for name in devices if not DEVICE_PATTERN.fullmatch(name)]
            if unknown or not devices:
                raise ValueError(
                    f"{', '.join(unknown) or value!r} is no device; use auto alone, or cpu, mps, "
                    "cuda, xpu, cuda:1, or several with commas between"
                )
        return ",".join(devices)

    @field_validator("cluster")
    @classmethod
    def _check_cluster(cls, value: str) -> str:
        if value and value != "auto" and not CLUSTER_PATTERN.fullmatch(value):
            raise ValueError(f"{value!r} is no address; use auto, or HOST:6379")
        return value

    @field_validator("cluster_workers")
    @classmethod
    def _check_cluster_workers(cls, value: str) -> str:
        low, high = split_range(value)
        if not 1 <= low <= high <= MAX_CLUSTER_WORKERS:
            raise ValueError(f"must be a number from 1 to {MAX_CLUSTER_WORKERS}, or a range: 1-16")
        return value

    @field_validator("discord_api_base")
    @classmethod
    def _check_api(cls, value: str | None) -> str | None:
        return value and check_address(value, secure="https", plain="http")

    @field_validator("page_url")
    @classmethod
    def _check_page(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.query or parts.fragment or parts.username:
            raise ValueError("must be an address alone, without ?, # and @")
        return check_address(value, secure="https", plain="http").rstrip("/")

    @field_validator("page_address")
    @classmethod
    def _check_page_address(cls, value: str) -> str:
        if value != "localhost":
            try:
                ipaddress.ip_address(value)
            except ValueError:
                raise ValueError("must be an address of this machine, such as 127.0.0.1") from None
        return value

    @field_validator("hub_url")
    @classmethod
    def _check_hub(cls, value: str) -> str:
        return check_address(value, secure="https", plain="http").rstrip("/")

    @field_validator("discord_gateway_url")
    @classmethod
    def _check_gateway(cls, value: str | None) -> str | None:
        return value and check_address(value, secure="wss", plain="ws")

    @property
    def paths(self) -> HostPaths:
        """Where the settings file and the data are where no setting says otherwise."""
        return self._paths

    @property
    def watchdog_seconds(self) -> float | None:
        """Within which the service manager wants to hear of Easel; None for never."""
        return None if self.watchdog_usec is None else self.watchdog_usec / 1e6

    @property
    def models_path(self) -> Path:
        """Where checkpoints lie."""
        return self.models_dir or self.data_dir / "models"

    @property
    def backups_path(self) -> Path:
        """Where the running bot writes backups."""
        return self.backup_dir or self.data_dir / "backups"

    @property
    def wordlists_path(self) -> Path:
        """Where the lists of words lie that prompts draw from."""
        return self.wordlists_dir or self.data_dir / "wildcards"

    @property
    def member_storage_bytes(self) -> int:
        """What one member's pictures may take on the disk, in bytes; 0 for no bound."""
        return int(self.member_storage_gb * 2**30)

    @property
    def max_upload_bytes(self) -> int:
        """The largest attachment that is read, in bytes."""
        return int(self.max_upload_mb * 2**20)


def split_list(text: str) -> tuple[str, ...]:
    """Split a list with commas; what is empty is left out."""
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())


def id_set(text: str) -> frozenset[str]:
    """Split a list of ids."""
    return frozenset(split_list(text))


def read_settings(env_file: Path | None = Path(".env")) -> Settings:
    """Read the environment and `env_file`.

    Raises:
        SettingsError: a line for each impossible value, naming the variable.
    """
    try:
        if env_file is not None:
            _refuse_typos(env_file)
        return Settings(_env_file=env_file)  # type: ignore[call-arg]  # pydantic-settings' own
    except UnicodeDecodeError:
        raise SettingsError(f"{env_file} is no UTF-8 text: save it as UTF-8.") from None
    except OSError as error:
        raise SettingsError(f"{env_file} cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        lines = []
        for problem in error.errors(include_url=False, include_input=False):
            words = problem["msg"].removeprefix("Value error, ")
            lines.append(f"{_variable_of(str(problem['loc'][0]))}: {words}")
        raise SettingsError("\n".join(lines)) from None


def _refuse_typos(env_file: Path) -> None:
    """Refuse a settings file with a name that is nearly a setting's; other tools' names may stay.

    Raises:
        SettingsError: a line for each such name, with the setting that is meant.
    """
    known_names = {_variable_of(name) for name in Settings.model_fields} | {HOME_VARIABLE}
    lines = []
    for name in dotenv_values(env_file, encoding=ENV_FILE_ENCODING, interpolate=False):
        if name.upper() in known_names:
            continue
        near_names = difflib.get_close_matches(name.upper(), known_names, 1, TYPO_CUTOFF)
        lines += [f"{env_file}: there is no {name}; is {near} meant?" for near in near_names]
    if lines:
        raise SettingsError("\n".join(lines))


def read_host_settings(paths: HostPaths) -> Settings:
    """Read the environment and the settings file of this host, as `read_settings` does."""
    settings = read_settings(paths.env_file)
    if "data_dir" not in settings.model_fields_set:
        settings = settings.model_copy(update={"data_dir": paths.data_dir})
    settings._paths = paths
    return settings


def env_example() -> str:
    """Write `.env.example`: every variable with what it means and its default."""
    head = "# Copy to .env and set what differs; what stays commented out keeps its default.\n"
    parts = []
    for variable, item in env_variables():
        default = "" if item.default is None else str(item.default)
        if isinstance(item.default, dict):
            default = json.dumps(item.default)
        line = f"{variable}={default}"
        mark = "" if variable == "DISCORD_TOKEN" else "# "
        parts.append(f"\n# {item.description}\n{mark}{line}\n")
    return head + "".join(parts)


def env_variables() -> Iterator[tuple[str, FieldInfo]]:
    """List every variable that a host sets with its field; a service manager sets the others."""
    for name, item in Settings.model_fields.items():
        if not item.exclude:
            yield _variable_of(name), item


def _variable_of(name: str) -> str:
    item = Settings.model_fields.get(name)
    alias = item.validation_alias if item is not None else name
    return alias if isinstance(alias, str) else f"{ENV_PREFIX}{name.upper()}"
