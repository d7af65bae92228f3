"""Models that do not fit into memory together, and the jobs that want them."""

import gc
import weakref

import torch
from PIL import Image

from inference.api.config import EngineConfig
from inference.api.jobs import Img2ImgJob, LoopbackJob
from inference.engine.engine import Engine, RunCompleted, RunFailed, aux_batch_limit
from inference.engine.runner import Runner
from inference.engine.scheduler import Scheduler
from inference.engine.work import JobResult
from inference.model_library import ModelLibrary
from inference.operations.context import OperationContext
from inference.operations.registry import OPERATIONS
from inference.worker.executors import build_executors

SOURCE = Image.new("RGB", (64, 64), (200, 30, 60))


def tight(tiny_model, tmp_path, patience=64):
    """Give a library with room for one checkpoint, and an engine over it."""
    config = EngineConfig(model="tiny", models_dir=str(tiny_model), cache_dir=str(tmp_path))
    library = ModelLibrary(config, torch.device("cpu"), torch.float32, budget=1)
    scheduler = Scheduler(4, aux_batch_limit(4, 4), library.loadable_together, patience)
    return library, Engine(Runner(library, build_executors(library)), scheduler)


def begin(library, job):
    return OPERATIONS[job.kind](job, {"image": SOURCE}, OperationContext(library))


def drive(engine, reports):
    """Step to the end; list jobs in the order in which they ended."""
    ended = []
    while True:
        for report in reports:
            if isinstance(report, RunCompleted | RunFailed):
                ended.append((report.run.job_id, getattr(report, "result", None)))
        if engine.is_idle:
            return ended
        reports = engine.step()


def test_jobs_of_two_checkpoints_load_each_once(tiny_model, tmp_path):
    library, engine = tight(tiny_model, tmp_path)
    reports = []
    for number, model in enumerate(("tiny", "tiny-inpaint") * 2):
        job = Img2ImgJob(seed=number, steps=3, width=64, height=64, model=model)
        reports += engine.add_job(str(number), 1, begin(library, job))
    ended = drive(engine, reports)

    assert {name for name, _ in ended[:2]} == {"0", "2"}
    assert all(isinstance(outcome, JobResult) for _, outcome in ended)
    assert len(ended) == 4
    assert library.model_cache.loads == 2


def test_a_long_job_lets_the_other_checkpoint_in(tiny_model, tmp_path):
    library, engine = tight(tiny_model, tmp_path, patience=4)
    reports = []
    for name, model, steps in (("long", "tiny", 30), ("short", "tiny-inpaint", 2)):
        job = Img2ImgJob(seed=1, steps=steps, width=64, height=64, model=model, sampler="Euler")
        reports += engine.add_job(name, 1, begin(library, job))

    assert [name for name, _ in drive(engine, reports)] == ["short", "long"]
    # The long one's at first, the short one's when its turn came, then the long one's again.
    assert library.model_cache.loads <= 3


def test_a_job_under_way_holds_no_weights(tiny_model, tmp_path):
    library, engine = tight(tiny_model, tmp_path)
    job = LoopbackJob(seed=1, steps=2, loops=3, width=64, height=64, sampler="Euler")
    reports = engine.add_job("a", 1, begin(library, job))
    for _ in range(6):
        reports += engine.step()
    held = weakref.ref(library.get_checkpoint("tiny").unet)
    library.get_checkpoint("tiny-inpaint")
    gc.collect()

    assert held() is None
    assert isinstance(drive(engine, reports)[0][1], JobResult)
