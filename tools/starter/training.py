"""The one training loop of the starter models: budget, schedule, moving average, checkpoints.

Each step draws from generators seeded with (seed, step), so that a run that was cut off and goes
on from its checkpoint sees what an uncut run would have seen.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from tools.starter.optimiser import Muon

PAUSE_VARIABLE = "EASEL_TRAIN_PAUSE"
PAUSE_SECONDS = 2.0
WARMUP_STEPS = 100
EMA_DECAY = 0.998
GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class Plan:
    """How long to train, and where to write.

    minutes and steps: the whole run, earlier sittings counted in; the first one reached ends it.
    """

    out: Path
    minutes: float = math.inf
    steps: int = 1_000_000_000
    seed: int = 0
    log_every: int = 25
    save_every: int = 250
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    pause: Path | None = None

    def progress(self, step: int, elapsed: float) -> float:
        """Return how much of the run is done, 0 to 1, after step steps and elapsed seconds."""
        return min(1.0, max(step / self.steps, elapsed / (60 * self.minutes)))


@dataclass
class Draw:
    """One step's own randomness: a numpy generator for choices, a torch one (CPU) for noise."""

    step: int
    choice: np.random.Generator
    noise: torch.Generator

    @classmethod
    def of(cls, seed: int, step: int) -> Draw:
        """Seed both generators from the run's seed and the step's number."""
        choice = np.random.default_rng([seed, step])
        noise = torch.Generator().manual_seed(int(choice.integers(2**62)))
        return cls(step, choice, noise)


Loss = Callable[[Draw], tuple[Tensor, dict[str, float]]]
"""A step's loss (a scalar with gradient) and the figures to log beside it."""


def learning_rate_factor(step: int, progress: float) -> float:
    """Return the schedule's factor, 0 to 1: linear warm-up, then half a cosine down to 2 %."""
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return min(1.0, (step + 1) / WARMUP_STEPS) * (0.02 + 0.98 * cosine)


class MovingAverage:
    """An exponential moving average of a module's parameters; young averages forget faster."""

    def __init__(self, module: nn.Module) -> None:
        self._parameters = dict(module.named_parameters())
        self.average = {k: p.detach().clone() for k, p in self._parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the average towards the parameters after the given step."""
        decay = min(EMA_DECAY, (1 + step) / (10 + step))
        for key, parameter in self._parameters.items():
            self.average[key].lerp_(parameter, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average into the module for the time of the block."""
        current = {k: p.detach().clone() for k, p in self._parameters.items()}
        self._load(self.average)
        try:
            yield
        finally:
            self._load(current)

    @torch.no_grad()
    def _load(self, values: dict[str, Tensor]) -> None:
        for key, parameter in self._parameters.items():
            parameter.copy_(values[key])


@dataclass(frozen=True)
class Group:
    """Parameters that share a learning rate (at the schedule's top).

    tables: they are lookup tables (embeddings), whose rows are no matrix's rows.
    """

    parameters: Iterable[nn.Parameter]
    learning_rate: float
    tables: bool = False


def groups_of(module: nn.Module, learning_rate: float) -> list[Group]:
    """Return the module's parameters as two groups: embeddings, and all else."""
    tables = {
        id(p) for m in module.modules() if isinstance(m, nn.Embedding) for p in m.parameters()
    }
    parameters = list(module.parameters())
    return [
        Group([p for p in parameters if id(p) not in tables], learning_rate),
        Group([p for p in parameters if id(p) in tables], learning_rate, tables=True),
    ]


def fit(
    module: nn.Module,
    loss: Loss,
    groups: Iterable[Group],
    plan: Plan,
    save: Callable[[Path], None],
    *,
    weight_decay: float = 0.01,
) -> int:
    """Train module until the plan's end; return the steps done, earlier sittings included.

    save writes the module's models as float folders under plan.out; it is called with the moving
    average in place. A checkpoint in plan.out is gone on from.
    """
    groups = [replace(g, parameters=list(g.parameters)) for g in groups]
    optimiser = Muon(
        [{"params": g.parameters, "tables": g.tables} for g in groups], weight_decay=weight_decay
    )
    average = MovingAverage(module)
    checkpoint = plan.out / "checkpoint.safetensors"
    step, elapsed = 0, 0.0
    if checkpoint.exists():
        step, elapsed = load_checkpoint(checkpoint, module, average, optimiser)
        print(f"going on from step {step}, {elapsed:.0f} s", flush=True)
    history: list[dict[str, float]] = []
    while plan.progress(step, elapsed) < 1:
        waited = wait_while_paused(plan.pause)
        began = time.monotonic()
        factor = learning_rate_factor(step, plan.progress(step, elapsed))
        value, figures = loss(Draw.of(plan.seed, step))
        descend(value, groups, optimiser, factor)
        step += 1
        average.update(step)
        history.append({"loss": value.item(), **figures})
        elapsed += time.monotonic() - began
        if waited:
            print(f"paused for {waited:.0f} s", flush=True)
        if step % plan.log_every == 0:
            log(step, elapsed, history[-plan.log_every :])
        if step % plan.save_every == 0:
            save_checkpoint(checkpoint, module, average, optimiser, step, elapsed)
            with average.applied():
                save(plan.out)
    save_checkpoint(checkpoint, module, average, optimiser, step, elapsed)
    with average.applied():
        save(plan.out)
    return step


def descend(
    loss: Tensor, groups: list[Group], optimiser: torch.optim.Optimizer, factor: float
) -> None:
    """Make one update against the loss's clipped gradient, learning rates times factor."""
    for group, options in zip(groups, optimiser.param_groups, strict=True):
        options["lr"] = group.learning_rate * factor
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    parameters = [p for group in groups for p in group.parameters]
    nn.utils.clip_grad_norm_(parameters, GRADIENT_NORM, foreach=True)
    optimiser.step()


def log(step: int, elapsed: float, history: list[dict[str, float]]) -> None:
    """Print the means of the last figures on one line."""
    means = {key: np.mean([h[key] for h in history]) for key in history[0]}
    line = " ".join(f"{key} {value:.4f}" for key, value in means.items())
    print(f"step {step} {elapsed:.0f} s {line}", flush=True)


def wait_while_paused(pause: Path | None) -> float:
    """Sleep as long as the pause file exists; return the seconds slept."""
    began = time.monotonic()
    while pause is not None and pause.exists():
        time.sleep(PAUSE_SECONDS)
    waited = time.monotonic() - began
    return waited if waited >= PAUSE_SECONDS else 0.0


def save_checkpoint(
    path: Path,
    module: nn.Module,
    average: MovingAverage,
    optimiser: torch.optim.Optimizer,
    step: int,
    elapsed: float,
) -> None:
    """Write weights and buffers, the average and the optimiser's state as one safetensors file."""
    tensors = {f"module.{k}": p.detach() for k, p in module.named_parameters()}
    kept = module.state_dict()
    tensors |= {f"module.{k}": value for k, value in module.named_buffers() if k in kept}
    tensors |= {f"average.{k}": value for k, value in average.average.items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{k}": torch.as_tensor(v) for k, v in state.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    save_file(
        {key: value.contiguous() for key, value in tensors.items()},
        part,
        {"step": str(step), "elapsed": str(elapsed)},
    )
    part.replace(path)


def load_checkpoint(
    path: Path, module: nn.Module, average: MovingAverage, optimiser: torch.optim.Optimizer
) -> tuple[int, float]:
    """Read what save_checkpoint wrote; return the step and the seconds trained."""
    states: dict[int, dict[str, Tensor]] = {}
    weights = module.state_dict()
    with safe_open(path, "pt") as file, torch.no_grad():
        for key in file.keys():  # noqa: SIM118 - a file handle, not a dict
            kind, name = key.split(".", 1)
            value = file.get_tensor(key)
            if kind == "module":
                weights[name].copy_(value)
            elif kind == "average":
                average.average[name].copy_(value)
            else:
                index, entry = name.split(".")
                states.setdefault(int(index), {})[entry] = value
        metadata = file.metadata()
    optimiser.load_state_dict({**optimiser.state_dict(), "state": states})
    return int(metadata["step"]), float(metadata["elapsed"])


def add_arguments(parser: argparse.ArgumentParser, out: str) -> None:
    """Add the options that every training script shares."""
    parser.add_argument("--data", type=Path, default=Path("data/starter"))
    parser.add_argument("--out", type=Path, default=Path("data/starter") / out)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--steps", type=int, default=1_000_000_000)
    parser.add_argument("--batch", type=int, default=None, help="pictures a step")
    parser.add_argument("--learning-rate", type=float, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Return the plan that the shared options describe, and set the thread count.

    Raises:
        SystemExit: neither --minutes nor --steps was given, so the run would have no end.
    """
    if arguments.minutes == math.inf and arguments.steps == 1_000_000_000:
        raise SystemExit("give --minutes or --steps: the run needs an end")
    torch.set_num_threads(arguments.threads)
    pause = os.environ.get(PAUSE_VARIABLE)
    return Plan(
        out=arguments.out,
        minutes=arguments.minutes,
        steps=arguments.steps,
        seed=arguments.seed,
        device=torch.device(arguments.device),
        pause=Path(pause) if pause else None,
    )
