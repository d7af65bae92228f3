"""Which operation does which kind of job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from inference.engine.work import Operation
from inference.operations.explain import explain
from inference.operations.imagine import imagine
from inference.operations.img2img import img2img
from inference.operations.inpaint import inpaint
from inference.operations.interrogate import interrogate
from inference.operations.loopback import loopback
from inference.operations.outpaint.operation import outpaint
from inference.operations.preview import preview
from inference.operations.studio import Pictures, Studio
from inference.operations.upscale import upscale

Perform = Callable[[Any, Pictures, Studio], Operation]

OPERATIONS: Mapping[str, Perform] = {
    "explain": explain,
    "imagine": imagine,
    "img2img": img2img,
    "inpaint": inpaint,
    "loopback": loopback,
    "outpaint": outpaint,
    "interrogate": interrogate,
    "preview": preview,
    "upscale": upscale,
}
