"""Floating point operations of network calls: counted once for each kind of call, known from then.

A multiply-add counts as two. What is counted are matrix products, convolutions and attention, as
torch's own counter does; text that was encoded before is charged as at the first count.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import TypeVar

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from inference.api.errors import InferenceError
from inference.runtime.compiling import COMPILE_LOCK, eager_mode
from inference.runtime.device_errors import is_out_of_memory

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Kinds of call that are remembered; the oldest is forgotten, and counted again if it comes again.
MAX_COUNTED_CALL_KINDS = 4096
#: Attention as processors run it, which torch's counter leaves out.
EXTRA_FLOP_FORMULAS = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: (
        lambda query, key, value, *_, **__: sdpa_flop_count(query, key, value)  # type: ignore[no-untyped-call]
    )
}


class FlopCounter:
    """What calls cost."""

    def __init__(self) -> None:
        self._counts: dict[Hashable, float] = {}

    def count_call(
        self, key: Hashable | None, rows: int, call: Callable[[], T]
    ) -> tuple[T, float | None]:
        """Make a call of so many equal rows; return its result and the operations of one row.

        None: they are not known yet, and cannot be counted while something is compiled.

        Args:
            key: says which network, and the size of what a row asks of it; equal keys are counted
                once. None is counted each time.
            rows: how many share the call.
            call: does it.
        """
        if key is not None and key in self._counts:
            return call(), self._counts[key]
        if not COMPILE_LOCK.acquire(blocking=False):
            return call(), None
        try:
            with (
                eager_mode(),
                FlopCounterMode(display=False, custom_mapping=EXTRA_FLOP_FORMULAS) as counter,
            ):
                result = call()
            row_flops = counter.get_total_flops() / rows
        except Exception as error:
            if isinstance(error, InferenceError) or is_out_of_memory(error):
                raise
            # The job's own trouble, or the counter's, which must cost no job: it will show.
            result, row_flops = call(), 0.0
            log.warning("A call of %s cannot be counted: %r", key, error)
        finally:
            COMPILE_LOCK.release()
        if key is not None:
            self._counts[key] = row_flops
            if len(self._counts) > MAX_COUNTED_CALL_KINDS:
                self._counts.pop(next(iter(self._counts)))
        return result, row_flops
