"""Dockerfile, compose, Kubernetes and the unit run Easel in one and the same way."""

from __future__ import annotations

import inspect
import re

import pytest
from dotenv import dotenv_values

from bot.client import STOP_GRACE_SECONDS
from bot.hosting.updates import CHANGELOG_FILE
from bot.settings import env_variables
from inference.api.workers.pool import LocalWorkerPool
from main import build_parser
from tests.deploy.manifests import (
    COMPOSE_FILES,
    DEPLOY,
    ROOT,
    image_environment,
    parse_seconds,
    read_compose,
    read_compose_runtime,
    read_dockerfile,
    read_image,
    read_kubernetes,
    read_manifests,
    read_stateful_set,
    read_systemd,
    read_unit,
)

USER = 10001
GRACE_SECONDS = 60
HEALTH = ("python", "main.py", "health")
#: What each way says of user, data path, grace period and health command.
TABLE = {
    "Dockerfile": (USER, "/data", None, HEALTH),
    **dict.fromkeys(COMPOSE_FILES, (USER, "/data", GRACE_SECONDS, HEALTH)),
    "kubernetes": (USER, "/data", GRACE_SECONDS, HEALTH),
    "easel.service": (USER, "/var/lib/easel", GRACE_SECONDS, None),  # sd_notify is its health
}
READERS = {
    "Dockerfile": read_image,
    "kubernetes": read_kubernetes,
    "easel.service": read_systemd,
    **{name: lambda name=name: read_compose_runtime(name) for name in COMPOSE_FILES},
}


@pytest.mark.parametrize("name", TABLE)
def test_every_way_says_the_same(name):
    said = READERS[name]()

    assert (said.user, said.data, said.grace, said.health) == TABLE[name]


def test_no_file_that_starts_easel_is_outside_the_table():
    starters = {path.name for path in DEPLOY.glob("compose*.yaml")} - {"compose.common.yaml"}
    starters |= {path.name for path in DEPLOY.glob("Dockerfile*")} | {"kubernetes", "easel.service"}

    assert starters == set(TABLE)


def test_every_command_of_the_files_is_one_that_easel_knows():
    (job,) = [each for each in read_manifests("pull-models") if each["kind"] == "Job"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    pull = container["command"]
    tool = [*read_compose("compose.yaml", "models")["entrypoint"], "pull", "KEY"]
    starts = [read_unit()["Service"]["ExecStart"].split()[1:], ["backup", "there"]]

    for words in (HEALTH[2:], pull[2:], tool[2:], *starts):
        assert build_parser().parse_args(words).command == words[0]


def test_the_grace_is_above_what_the_bot_takes_to_stop():
    pool = inspect.signature(LocalWorkerPool).parameters["grace_seconds"].default

    assert 2 * STOP_GRACE_SECONDS + pool < GRACE_SECONDS


@pytest.mark.parametrize("name", TABLE)
def test_every_setting_may_be_given(name):
    """A host's file of settings arrives whole: nothing that the files fix stands above it."""
    chosen = {variable: f"chosen {variable}" for variable, _ in env_variables()}
    match name:
        case "Dockerfile":
            opened = True  # docker run -e and --env-file stand above the image's own
        case "kubernetes":
            (container,) = read_stateful_set()["template"]["spec"]["containers"]
            opened = {"configMapRef": {"name": "easel-settings"}} in container["envFrom"]
        case "easel.service":
            opened = read_unit()["Service"]["EnvironmentFile"] == "-/etc/easel/easel.env"
        case _:
            opened = {"path": ".env", "required": False} in read_compose(name)["env_file"]

    arrived = image_environment() | chosen | dict(READERS[name]().environment)

    assert opened
    assert {key: arrived[key] for key in chosen} == chosen


def test_the_files_set_nothing_that_easel_does_not_know():
    known = {variable for variable, _ in env_variables()}
    fixed = [image_environment(), dotenv_values(DEPLOY / "kubernetes/base/settings.env")]
    fixed += [READERS[name]().environment for name in TABLE]

    named = {key for each in fixed for key in each if re.match("EASEL_|DISCORD_", key)}

    assert named - known == set()


@pytest.mark.parametrize("name", COMPOSE_FILES)
def test_the_container_has_no_rights_and_a_root_that_is_read_only(name):
    said = read_compose(name)

    assert said["read_only"] is True
    assert said["cap_drop"] == ["ALL"]
    assert said["security_opt"] == ["no-new-privileges:true"]
    assert said["init"] is True
    assert "./models:/models:ro" in said["volumes"]


def test_the_pod_has_no_rights_and_a_root_that_is_read_only():
    pod = read_stateful_set()["template"]["spec"]
    (container,) = pod["containers"]

    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False


def test_one_bot_owns_the_data():
    assert read_stateful_set()["replicas"] == 1
    (claim,) = read_stateful_set()["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_the_image_copies_what_the_tree_has_and_the_ignore_file_lets_through():
    """`.dockerignore` leaves out everything but what it names."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert {rule[1:] for rule in rules if rule.startswith("!")} == set(copied)
    assert "*" in rules
    # What the program reads beside its code: `update` prints the notes of what has changed.
    assert {"main.py", "pyproject.toml", CHANGELOG_FILE.name} <= set(copied)


def test_the_image_runs_the_command_line_and_stops_by_sigterm():
    said = dict(read_dockerfile())

    assert said["ENTRYPOINT"] == '["python", "main.py"]'
    assert said["STOPSIGNAL"] == "SIGTERM"


def test_the_unit_tries_again_what_may_mend_itself_and_not_what_was_refused():
    unit = read_unit()

    assert unit["Service"]["Restart"] == "on-failure"
    assert unit["Service"]["RestartPreventExitStatus"] == "2"
    assert unit["Service"]["KillMode"] == "mixed"
    assert unit["Service"]["Type"] == "notify"
    assert parse_seconds(unit["Service"]["WatchdogSec"]) == 60
    starts = int(unit["Unit"]["StartLimitBurst"]) * 24
    assert starts / (parse_seconds(unit["Unit"]["StartLimitIntervalSec"]) / 3600) < 1000
