"""How a worker runs: one frozen value, made in `main` and sent as the worker's first frame."""

from __future__ import annotations

from dataclasses import dataclass

from inference.api.jobs.limits import MAX_PROMPT_PARTS

#: Rows of one network call; more stop paying on every device measured so far.
MAX_BATCH = 8
#: Jobs a worker holds at once: one batch running, one being prepared.
MAX_JOBS = 16


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """The host's choices for one worker."""

    #: The checkpoint of jobs that name none: `starter`, a registry key, a folder or a file.
    model: str = "starter"
    #: Where the host keeps checkpoints, upscalers, LoRAs.
    models_dir: str = "data/models"
    #: Where the host keeps the lists of words that prompts draw from.
    wordlists_dir: str = "data/wildcards"
    #: What is made once and kept: converted weights, text features.
    cache_dir: str = "data/cache"
    #: Where finished pictures are put for the bot to take.
    outbox: str = "data/outbox"
    #: `auto`, `cpu`, `cuda`, `cuda:1`, `xpu`, `mps`. A worker on a numbered card sees that one
    #: alone, and is told the name without the number.
    device: str = "auto"
    #: Workers that share the device, its memory and its cores.
    device_workers: int = 1
    #: `auto`, `float32`, `bfloat16`, `float16`.
    dtype: str = "auto"
    #: Bytes of weights that stay loaded; 0 for a share of the device's memory.
    weights_budget: int = 0
    #: `none`, `medvram` or `lowvram`: what of a checkpoint lies on the device at once.
    low_memory: str = "none"
    #: `auto`, `full` or `fp8`: in what large layers of flow transformers are held.
    weight_format: str = "auto"
    #: Run networks whose licence forbids any use that earns money.
    non_commercial: bool = False
    #: Compile networks for the shapes they often run in.
    compile: bool = False
    #: Phrases of a list that pictures are compared with; 0 for all.
    list_lines: int = 1500
    #: Prompts joined by AND in one prompt at most.
    max_prompt_parts: int = MAX_PROMPT_PARTS
    #: Rows of one network call at most.
    max_batch: int = MAX_BATCH
    #: Jobs in hand at most.
    max_jobs: int = MAX_JOBS
    #: Run every job alone, bit for bit the same whatever else is queued.
    deterministic: bool = False
    #: Steps between two previews of an unfinished picture; 0 makes none.
    preview_every: int = 5
    #: Torch's threads; 0 leaves torch's own choice.
    threads: int = 0
