"""Samplers and schedules under the names that other programs give them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from inference.jobs import names

#: Other names of our samplers, as they are compared: lower case, signs between words left out.
OTHER_SAMPLERS: Mapping[str, str] = {
    # ComfyUI, which Fooocus shares
    "eulerancestral": "Euler a",
    "dpm2ancestral": "DPM2 a",
    "dpmpp2sancestral": "DPM++ 2S a",
    "dpmpp2m": "DPM++ 2M",
    "dpmppsde": "DPM++ SDE",
    "dpmpp2msde": "DPM++ 2M SDE",
    "dpmpp2msdeheun": "DPM++ 2M SDE Heun",
    "dpmpp3msde": "DPM++ 3M SDE",
    "unipcbh2": "UniPC",
    # InvokeAI
    "kdpm2": "DPM2",
    "kdpm2a": "DPM2 a",
    "pndm": "PLMS",
    # NovelAI and programs before the k-diffusion names
    "ddimv3": "DDIM",
}
OTHER_SCHEDULES: Mapping[str, str] = {
    "ddimuniform": "DDIM",
    "native": "Automatic",
    "alignyoursteps": "Align Your Steps",
    "ays": "Align Your Steps",
    "quadratic": "Polyexponential",
}
#: Which implementation ran says nothing about the numbers.
_LEFT_OUT = re.compile(r"(?:gpu|cfgpp)$")
_SIGNS = re.compile(r"[^a-z0-9+]+")


def _plain(name: str) -> str:
    return _SIGNS.sub("", name.lower()).replace("++", "pp")


_SAMPLERS = {**{_plain(name): name for name in names.SAMPLERS}, **OTHER_SAMPLERS}
_SCHEDULES = {**{_plain(name): name for name in names.SCHEDULES}, **OTHER_SCHEDULES}


def sampler(name: str) -> tuple[str | None, str | None]:
    """Give our names of a sampler and of the schedule that its name may end in; None where none.

    `DPM++ 2M Karras` is `DPM++ 2M` with `Karras`, `euler_k` and `k_euler` are `Euler`.
    """
    plain = _LEFT_OUT.sub("", _plain(name))
    if plain in _SAMPLERS:
        return _SAMPLERS[plain], None
    for ending in ("karras", "exponential", "polyexponential"):
        known = _SAMPLERS.get(plain.removesuffix(ending))
        if plain.endswith(ending) and known:
            return known, _SCHEDULES[ending]
    if plain.endswith("k") and plain[:-1] in _SAMPLERS:  # InvokeAI: with Karras' noise levels
        return _SAMPLERS[plain[:-1]], "Karras"
    if plain.startswith("k"):  # NovelAI, and InvokeAI once: of k-diffusion
        return _SAMPLERS.get(plain[1:]), None
    return None, None


def schedule(name: str) -> str | None:
    """Give our name of a noise schedule; None where there is none."""
    return _SCHEDULES.get(_plain(name))
