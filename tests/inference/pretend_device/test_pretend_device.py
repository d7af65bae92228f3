"""Every operation and low-memory mode on a device that is not the machine's memory."""

import json
import os
import subprocess
import sys

import pytest

#: Launches of a guided step of one row, counted once; less is welcome, and is to be noted here.
MAX_LAUNCHES = {"sd1": 600, "sd1, LoRA": 1064, "sdxl": 1464, "sdxl, LoRA": 3118}

#: Copies that diffusers' own classes make: Z-Image's frequencies at the first call, a number of
#: Chroma's at each.
OTHERS_COPIES = {"z-image, first": 3, "chroma, first": 1, "chroma": 1}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Run the scenarios in a process of their own: a device, once registered, stays."""
    folder = tmp_path_factory.mktemp("models")
    command = [sys.executable, "-m", "tests.inference.pretend_device.scenarios", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout)


def test_no_operation_mixes_what_lies_on_the_device_with_what_does_not(outcomes):
    errors = {name: outcome["errors"] for name, outcome in outcomes.items() if outcome["errors"]}
    assert errors == {}


def test_a_step_waits_for_nothing_but_its_end(outcomes):
    for name, outcome in outcomes.items():
        step = outcome["step"]
        # Parts and blocks come in when they are at work; DPM adaptive's error decides its step.
        copies_in = OTHERS_COPIES.get(name, 0) if "vram" not in name else step["copies in"]
        copies_out = 1 if name == "samplers" else 0
        assert (name, step["copies in"]) == (name, copies_in)
        assert (name, step["copies out"]) == (name, copies_out)
        assert step["waits"] <= 1


def test_a_step_launches_no_more_than_it_did(outcomes):
    launches = {name: outcomes[name]["step"]["launches"] for name in MAX_LAUNCHES}
    assert all(launches[name] <= most for name, most in MAX_LAUNCHES.items()), launches


def test_a_repeated_prompt_moves_no_weights_where_there_is_room(outcomes):
    moved = {name: outcome["bytes in"] for name, outcome in outcomes.items()}
    # The picture and its noise, as without a low-memory mode.
    assert moved["medvram with room, the prompt again"] == moved["the prompt again"]
    assert moved["medvram, the prompt again"] < moved["medvram"]
