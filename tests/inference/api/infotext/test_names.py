from __future__ import annotations

import pytest

from inference.api.infotext import names
from inference.api.jobs.names import SAMPLER_NAMES, SCHEDULE_NAMES


@pytest.mark.parametrize("name", SAMPLER_NAMES)
def test_our_own_names_are_themselves(name):
    assert names.find_sampler(name) == (name, None)


@pytest.mark.parametrize("name", SCHEDULE_NAMES)
def test_our_own_schedules_are_themselves(name):
    assert names.find_schedule(name) == name


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ("DPM++ 2M Karras", ("DPM++ 2M", "Karras")),  # web UIs before their ninth version
        ("DPM++ 2M SDE Exponential", ("DPM++ 2M SDE", "Exponential")),
        ("DPM2 a Karras", ("DPM2 a", "Karras")),
        ("euler_ancestral", ("Euler a", None)),  # ComfyUI
        ("dpmpp_2m_sde_gpu", ("DPM++ 2M SDE", None)),
        ("dpmpp_3m_sde", ("DPM++ 3M SDE", None)),
        ("uni_pc_bh2", ("UniPC", None)),
        ("dpm_2_ancestral", ("DPM2 a", None)),
        ("euler_k", ("Euler", "Karras")),  # InvokeAI
        ("dpmpp_2m_k", ("DPM++ 2M", "Karras")),
        ("kdpm_2", ("DPM2", None)),
        ("kdpm_2_a_k", ("DPM2 a", "Karras")),
        ("unipc", ("UniPC", None)),
        ("k_euler_a", ("Euler a", None)),  # InvokeAI once
        ("k_dpmpp_2s_ancestral", ("DPM++ 2S a", None)),  # NovelAI
        ("k_lms", ("LMS", None)),
        ("ddim_v3", ("DDIM", None)),
        ("lcm", ("LCM", None)),
        ("deis", (None, None)),
        ("euler_cfg_pp", ("Euler CFG++", None)),  # another formula than the plain ones
        ("euler_ancestral_cfg_pp", ("Euler a CFG++", None)),
        ("Euler Ancestral CFG++", ("Euler a CFG++", None)),
        ("dpmpp_2s_ancestral_cfg_pp", ("DPM++ 2S a CFG++", None)),
        ("dpmpp_2m_cfg_pp", ("DPM++ 2M CFG++", None)),
        ("DPM++ 2S a CFG++ Karras", ("DPM++ 2S a CFG++", "Karras")),
        ("dpmpp_3m_sde_cfg_pp", (None, None)),
        ("res_multistep_cfg_pp", (None, None)),
        ("", (None, None)),
    ],
)
def test_other_programs_names(other, expected):
    assert names.find_sampler(other) == expected


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ("sgm_uniform", "SGM Uniform"),
        ("ddim_uniform", "DDIM"),
        ("kl_optimal", "KL Optimal"),
        ("native", "Automatic"),
        ("karras", "Karras"),
        ("linear_quadratic", None),
        ("", None),
    ],
)
def test_other_programs_schedules(other, expected):
    assert names.find_schedule(other) == expected
