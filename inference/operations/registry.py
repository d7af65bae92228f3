"""Which operation does which kind of job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from inference.engine.work import Operation
from inference.operations.context import Images, OperationContext
from inference.operations.explain import run_explain
from inference.operations.imagine import run_imagine
from inference.operations.img2img import run_img2img
from inference.operations.inpaint import run_inpaint
from inference.operations.interrogate import run_interrogate
from inference.operations.loopback import run_loopback
from inference.operations.outpaint.operation import run_outpaint
from inference.operations.preview import run_preview
from inference.operations.shared.captioned_prompt import with_captioned_prompt
from inference.operations.upscale import run_upscale

OperationFactory = Callable[[Any, Images, OperationContext], Operation]

OPERATIONS: Mapping[str, OperationFactory] = {
    "explain": run_explain,
    "imagine": run_imagine,
    "img2img": with_captioned_prompt(run_img2img),
    "inpaint": run_inpaint,
    "loopback": with_captioned_prompt(run_loopback),
    "outpaint": with_captioned_prompt(run_outpaint),
    "interrogate": run_interrogate,
    "preview": run_preview,
    "upscale": run_upscale,
}
