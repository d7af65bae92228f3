"""The files for Ray start what Easel's own commands start, as safely."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib

import pytest
import yaml

from bot.cli.cluster import NODE_MANAGER_PORT, OBJECT_MANAGER_PORT, OBJECT_STORE_BYTES, WORKER_PORTS
from bot.settings import CLUSTER_PATTERN, env_variables
from bot.worker_plan import TOKEN_FILE
from inference.cluster.nodes import drain
from inference.cluster.ray_environment import NODE_FOLDER_VARIABLE
from main import build_parser
from tests.deploy.manifests import DEPLOY, ROOT, read_dockerfile
from tools.check_deploy import MissingProgram, find_program

RAY = DEPLOY / "ray"
PORT = 6379


@pytest.fixture
def ray_up():
    return yaml.safe_load((RAY / "cluster.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def cluster():
    return yaml.safe_load((RAY / "kuberay.yaml").read_text(encoding="utf-8"))["spec"]


@pytest.fixture
def bot():
    """The bot's pod, as kubectl puts it together."""
    try:
        program = find_program("kubectl")
    except MissingProgram as error:
        pytest.skip(f"{error} is not installed")
    built = subprocess.run(
        [program, "kustomize", RAY], capture_output=True, text=True, check=True
    ).stdout
    manifests = {each["kind"]: each for each in yaml.safe_load_all(built)}
    return manifests["StatefulSet"]["spec"]["template"]


def easel_words(command: str) -> list[str]:
    """The words after `main.py` in a line for a shell."""
    words = shlex.split(command.replace("$RAY_HEAD_IP", "10.0.0.1"))
    words = words[words.index("main.py") + 1 :]
    return [word for word in words if not re.fullmatch(r">>\S+|2>&1", word)]


def test_ray_up_starts_nodes_by_easel_s_own_commands(ray_up):
    for key, action in (("head", "head"), ("worker", "join")):
        first, start = ray_up[f"{key}_start_ray_commands"]
        arguments = build_parser().parse_args(easel_words(start))

        assert first.endswith("ray stop")
        assert (arguments.command, arguments.action) == ("cluster", action)
        assert "EASEL_DATA_DIR=/var/lib/easel " in start
    assert set(ray_up["file_mounts"]) == {f"/var/lib/easel/{TOKEN_FILE}"}
    assert ray_up["setup_commands"][0] == f"chmod 600 /var/lib/easel/{TOKEN_FILE}"
    assert ray_up["max_workers"] == len(ray_up["provider"]["worker_ips"])


def test_kuberay_starts_nodes_with_the_token_and_on_easel_s_ports(cluster):
    assert cluster["authOptions"]["mode"] == "token"
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (ray,) = extras["optional-dependencies"]["cluster"]
    assert ray == f"ray=={cluster['rayVersion'].rpartition('.')[0]}.*"
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        parameters = group["rayStartParams"]
        assert parameters["include-dashboard"] == "false"
        assert int(parameters["node-manager-port"]) == PORT + NODE_MANAGER_PORT
        assert int(parameters["object-manager-port"]) == PORT + OBJECT_MANAGER_PORT
        ports = (int(parameters["min-worker-port"]), int(parameters["max-worker-port"]))
        assert ports == (PORT + WORKER_PORTS[0], PORT + WORKER_PORTS[1])
        assert int(parameters["object-store-memory"]) == OBJECT_STORE_BYTES
        (container,) = group["template"]["spec"]["containers"]
        assert {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"} in container["env"]


def test_only_the_workers_have_a_card_a_folder_and_the_models(cluster):
    (group,) = cluster["workerGroupSpecs"]
    (head,) = cluster["headGroupSpec"]["template"]["spec"]["containers"]
    (container,) = group["template"]["spec"]["containers"]
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    variables = {item["name"]: item["value"] for item in container["env"]}
    folder = variables[NODE_FOLDER_VARIABLE]
    assert variables["PYTHONPATH"] == dict(read_dockerfile())["WORKDIR"]

    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert not [name for name in head["resources"]["limits"] if "gpu" in name]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert mounts[f"{folder}/models"]["readOnly"] is True
    module, *arguments = container["lifecycle"]["preStop"]["exec"]["command"][2:]
    assert (module, arguments[:2]) == (drain.__name__, [folder, "drain"])
    grace = group["template"]["spec"]["terminationGracePeriodSeconds"]
    assert float(arguments[2]) < grace


def test_the_bot_joins_the_head_with_a_node_that_takes_no_work(bot, cluster):
    (token,) = bot["spec"]["initContainers"]
    easel, node = bot["spec"]["containers"]
    variables = {item["name"]: item["value"] for item in easel["env"]}
    (group,) = cluster["workerGroupSpecs"]
    words = [*node["command"][2:], *node["args"]]
    arguments = build_parser().parse_args(words)

    assert token["command"][:3] == ["install", "-m", "600"]
    assert token["command"][-1] == f"/data/{TOKEN_FILE}"
    assert set(variables) <= {name for name, _ in env_variables()}
    assert arguments.target == variables["EASEL_CLUSTER"]
    assert CLUSTER_PATTERN.fullmatch(arguments.target)
    assert arguments.ray == "--num-cpus=0 --num-gpus=0"
    bounds = f"{group['minReplicas']}-{group['maxReplicas']}"
    assert variables["EASEL_CLUSTER_WORKERS"] == bounds
    shared = [{mount["name"] for mount in each["volumeMounts"]} for each in (easel, node)]
    assert {"data", "tmp", "ray", "dshm"} <= shared[0] & shared[1]


def test_nobody_else_reaches_the_nodes_ports(bot, cluster):
    policy = yaml.safe_load((RAY / "network-policy.yaml").read_text(encoding="utf-8"))["spec"]
    label = policy["podSelector"]["matchLabels"]
    assert policy["ingress"] == [{"from": [{"podSelector": {"matchLabels": label}}]}]
    groups = (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])
    for template in (bot, *(group["template"] for group in groups)):
        assert label.items() <= template["metadata"]["labels"].items()
