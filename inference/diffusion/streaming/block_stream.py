"""A network whose blocks come to the device one by one, each while the one before it works."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from inference.diffusion.streaming.flat_block import FlatBlock


class BlockStream:
    """Sends the next block while one works; learns their order from the pass before."""

    def __init__(self, blocks: Sequence[FlatBlock], device: torch.device) -> None:
        """Take the blocks in the order in which they are defined."""
        self._device = device
        self._next_blocks = dict(itertools.pairwise(blocks))
        self._pass: list[FlatBlock] = []
        self._prefetched: FlatBlock | None = None
        #: What copies beside the work; CUDA's alone.
        stream_class: Any = torch.cuda.Stream
        self._stream = stream_class(device) if device.type == "cuda" else None
        self._arrival: Any = None

    def begin_block(self, block: FlatBlock) -> None:
        """Have a block's weights on the device, and the next ones on their way."""
        self._note_order(block)
        if self._prefetched is not block:
            self.drop_prefetched()
            self._send(block)
        if self._stream is not None and block.sent is not None:
            work_stream = torch.cuda.current_stream(self._device)
            work_stream.wait_event(self._arrival)
            block.sent.record_stream(work_stream)
        self._prefetched = None
        block.load_weights()
        next_block = self._next_blocks.get(block)
        if next_block is not None:
            self._send(next_block)
            self._prefetched = next_block

    def end_block(self, block: FlatBlock) -> None:
        """Free the device of a block's weights."""
        block.unload_weights()

    def drop_prefetched(self) -> None:
        """Let go of what was sent ahead."""
        if self._prefetched is not None:
            self._prefetched.drop_sent()
            self._prefetched = None

    def _send(self, block: FlatBlock) -> None:
        stream_context: AbstractContextManager[Any] = nullcontext()
        if self._stream is not None:
            stream_context = torch.cuda.stream(self._stream)
        with stream_context:
            block.send_weights()
        if self._stream is not None:
            self._arrival = self._stream.record_event()

    def _note_order(self, block: FlatBlock) -> None:
        """Note what followed on what; the first block of a pass follows on none."""
        if block in self._pass:
            self._pass = []
        if self._pass:
            self._next_blocks[self._pass[-1]] = block
        self._pass.append(block)
