"""Compile networks for inputs of fixed shapes; where nothing can be compiled they run as they are.

Compiling takes from seconds to a minute for each shape, so only what comes again and again in one
shape is worth it: tiles, and rows of a model's own size.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from types import CodeType
from typing import Any

import torch
from torch import Tensor

log = logging.getLogger(__name__)

Shape = tuple[int, ...]

#: Where torch looks for what it compiled before; unsaid it is a folder in /tmp that others know.
CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"
#: Shapes for which one network may be compiled; torch's own limit is 8.
MAX_COMPILED_SHAPES = 64
#: Held while something is compiled or counted: what torch notes of that is the whole process's, and
#: two threads at it would leave it wrong for good.
COMPILE_LOCK = threading.RLock()
_EAGER_MODE: ContextVar[bool] = ContextVar("plainly", default=False)


class CompiledNetwork:
    """A network that is compiled for some shapes, at the first call of each, and plain for others.

    Its calls take and give what the network's own do.
    """

    def __init__(
        self,
        network: Callable[..., Any],
        shapes: frozenset[Shape],
        compile_: Callable[..., Callable[..., Any]] = torch.compile,
        *,
        freezing: bool = False,
    ) -> None:
        """Take the network and the shapes of its first argument that are worth the time.

        With `freezing` what is compiled holds the weights as they are now, packed for its shape.
        """
        self._plain = network
        self._shapes = shapes
        entry = _unique_entry(network)
        self._fast = compile_(entry, dynamic=False)
        self._freezing = freezing
        weakref.finalize(self, _drop_compiled_code, entry.__code__)
        #: Shapes that have gone through once.
        self._proven: set[Shape] = set()
        self._failed = False

    def set_shapes(self, *shapes: Shape) -> None:
        """Take other shapes than before; those compiled once are not compiled again."""
        self._shapes = frozenset(shapes)

    def __call__(self, first: Tensor, *others: Any, **named: Any) -> Any:
        """Run the network."""
        shape = tuple(first.shape)
        if self._failed or shape not in self._shapes or is_eager():
            return self._plain(first, *others, **named)
        if shape in self._proven:
            return self._fast(first, *others, **named)
        return self._compile_shape(shape, first, *others, **named)

    def _compile_shape(self, shape: Shape, *values: Any, **named: Any) -> Any:
        """Compile for one shape; what then fails although the plain network works is given up."""
        if not COMPILE_LOCK.acquire(blocking=False):
            return self._plain(*values, **named)
        try:
            with warnings.catch_warnings(), torch._inductor.config.patch(freezing=self._freezing):
                warnings.simplefilter("ignore")
                result = self._fast(*values, **named)
        except Exception as error:
            result = self._plain(*values, **named)
            self._failed = True
            log.warning(
                "%s cannot be compiled and runs as it is: %s",
                _network_name(self._plain),
                " ".join(str(error).split())[:200] or type(error).__name__,
            )
            return result
        finally:
            if self._freezing:
                _drop_compiled_sources()
            COMPILE_LOCK.release()
        self._proven.add(shape)
        return result


@contextmanager
def eager_mode() -> Iterator[None]:
    """Run networks as they are within: of a compiled one, a counter sees no operation."""
    token = _EAGER_MODE.set(True)
    try:
        yield
    finally:
        _EAGER_MODE.reset(token)


def is_eager() -> bool:
    """Whether networks are to run as they are in this thread now."""
    return _EAGER_MODE.get()


def compile_lazily(network: Callable[..., Any], *shapes: Shape) -> CompiledNetwork:
    """Let a network be compiled for inputs of these shapes; nothing happens before the first."""
    return CompiledNetwork(network, frozenset(shapes))


def compile_frozen(network: Callable[..., Any], *shapes: Shape) -> CompiledNetwork:
    """Let it be compiled, each shape with a copy of the weights packed as its kernels read them."""
    return CompiledNetwork(network, frozenset(shapes), freezing=True)


def never_compile(shape: Shape | None) -> None:
    """Stand for the choice of a shape where nothing is to be compiled."""


def _unique_entry(network: Callable[..., Any]) -> Callable[..., Any]:
    """Give a network an entry with code of its own.

    What is compiled lies with the code of the function that was called. Networks of one class
    share theirs, so what was made for one would stay for as long as there is the class.
    """

    def entry(*values: Any, **named: Any) -> Any:
        return network(*values, **named)

    entry.__code__ = entry.__code__.replace()
    return entry


def _drop_compiled_code(code: CodeType) -> None:
    """Give back what was compiled for a network that is gone; a torch that cannot keeps it."""
    with suppress(ImportError):
        from torch._C._dynamo.eval_frame import reset_code

        reset_code(code)


def _drop_compiled_sources() -> None:
    """Let go of the modules in which compiled networks came: they hold frozen weights for good.

    What was compiled keeps what it needs of its module itself. A torch that has them elsewhere
    keeps them.
    """
    with suppress(ImportError):
        from torch._inductor.codecache import PyCodeCache
        from torch._inductor.runtime import compile_tasks

        PyCodeCache.cache_clear()
        module_prefix = f"{compile_tasks.__name__}."
        for name in [name for name in sys.modules if name.startswith(module_prefix)]:
            del sys.modules[name]


def _network_name(network: Callable[..., Any]) -> str:
    """Name a module, or the one that a method belongs to, by its class; a function by itself."""
    owner = getattr(network, "__self__", network)
    return getattr(owner, "__name__", type(owner).__name__)


def prepare_compiling(folder: Path) -> None:
    """Let what is compiled be kept in a folder of the host's own, for the next start."""
    os.environ[CACHE_VARIABLE] = str(folder)
    torch._dynamo.config.recompile_limit = MAX_COMPILED_SHAPES
