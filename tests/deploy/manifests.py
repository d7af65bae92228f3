"""What the files of deploy/ say of how Easel runs, read by their own formats."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
COMPOSE_FILES = ("compose.yaml", "compose.cpu.yaml", "compose.rocm.yaml")
SECONDS = {"s": 1, "min": 60, "m": 60, "h": 3600, "": 1}


@dataclass(frozen=True)
class Runtime:
    """What one way of running Easel says."""

    user: int
    data: str  # where it keeps its data, and what is kept when it is replaced
    grace: int | None  # seconds from SIGTERM to SIGKILL; None where whoever runs it says so
    health: tuple[str, ...] | None  # None where the bot tells by itself
    environment: Mapping[str, str]  # what a host's own settings cannot change


def parse_seconds(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+) *(\w*)", text).groups()
    return int(number) * SECONDS[unit]


def read_dockerfile(path: Path = DEPLOY / "Dockerfile") -> list[tuple[str, str]]:
    """List the instructions of the last stage with their arguments."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    found = [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]
    last = max(place for place, (word, _) in enumerate(found) if word == "FROM")
    return found[last:]


def image_environment() -> dict[str, str]:
    pairs = [
        word for name, text in read_dockerfile() if name == "ENV" for word in shlex.split(text)
    ]
    return dict(pair.split("=", 1) for pair in pairs)


def read_image() -> Runtime:
    said = dict(read_dockerfile())
    (uid,) = {int(part) for part in said["USER"].split(":")}
    (home,) = re.findall(r"install -d -o (\d+) -g \1 -m 0700 (\S+)", said["RUN"])
    assert home == (str(uid), said["VOLUME"])
    return Runtime(
        user=uid,
        data=image_environment()["EASEL_DATA_DIR"],
        grace=None,
        health=tuple(json.loads(said["HEALTHCHECK"].partition("CMD ")[2])),
        environment={},
    )


def read_compose(name: str, service: str = "easel") -> dict[str, Any]:
    """Read a service as compose does, with what it extends."""
    said = yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))["services"][service]
    base = said.pop("extends", None)
    if base is None:
        return said
    inherited = read_compose(base.get("file", name), base["service"])
    volumes = {place.split(":")[1]: place for place in inherited.get("volumes", [])}
    volumes |= {place.split(":")[1]: place for place in said.get("volumes", [])}
    return inherited | said | {"volumes": list(volumes.values())}


def read_compose_runtime(name: str) -> Runtime:
    said = read_compose(name)
    (uid,) = {int(part) for part in said["user"].split(":")}
    (data,) = [place.split(":")[1] for place in said["volumes"] if place.startswith("data:")]
    return Runtime(
        user=uid,
        data=data,
        grace=parse_seconds(said["stop_grace_period"]),
        health=tuple(said["healthcheck"]["test"][1:]),
        environment=said.get("environment", {}),
    )


def read_manifests(folder: str = "base") -> list[dict[str, Any]]:
    return [
        manifest
        for path in sorted((DEPLOY / "kubernetes" / folder).glob("*.yaml"))
        for manifest in yaml.safe_load_all(path.read_text(encoding="utf-8"))
        if manifest["kind"] != "Kustomization"
    ]


def read_stateful_set() -> dict[str, Any]:
    (found,) = [each for each in read_manifests() if each["kind"] == "StatefulSet"]
    return found["spec"]


def read_kubernetes() -> Runtime:
    spec = read_stateful_set()
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    (claim,) = spec["volumeClaimTemplates"]
    probes = {
        tuple(container[kind]["exec"]["command"]) for kind in ("startupProbe", "livenessProbe")
    }
    (data,) = [
        mount["mountPath"]
        for mount in container["volumeMounts"]
        if mount["name"] == claim["metadata"]["name"]
    ]
    return Runtime(
        user=pod["securityContext"]["runAsUser"],
        data=data,
        grace=pod["terminationGracePeriodSeconds"],
        health=probes.pop() if len(probes) == 1 else None,
        environment={item["name"]: item["value"] for item in container.get("env", [])},
    )


def read_unit(name: str = "easel.service") -> configparser.RawConfigParser:
    class Repeated(dict):
        """Keys that come again are joined."""

        def __setitem__(self, key, value):
            if isinstance(value, list) and key in self:
                value = self[key] + value
            super().__setitem__(key, value)

    unit = configparser.RawConfigParser(dict_type=Repeated, strict=False, delimiters=("=",))
    unit.optionxform = str
    unit.read(DEPLOY / name, encoding="utf-8")
    return unit


def read_systemd() -> Runtime:
    service = read_unit()["Service"]
    users = (DEPLOY / "easel-sysusers.conf").read_text(encoding="utf-8")
    (number,) = re.findall(rf"^u {service['User']} (\d+) ", users, re.MULTILINE)
    made = dict(pair.split("=", 1) for pair in shlex.split(service["Environment"]))
    assert made["EASEL_DATA_DIR"] == f"/var/lib/{service['StateDirectory']}"
    return Runtime(
        user=int(number),
        data=made["EASEL_DATA_DIR"],
        grace=parse_seconds(service["TimeoutStopSec"]),
        health=None,
        environment={},
    )
