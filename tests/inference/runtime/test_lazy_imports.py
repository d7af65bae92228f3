"""In processes of their own, since what a process has imported stays."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from inference.runtime.lazy_imports import SCANS_FILE

HEAVY = (
    "diffusers.loaders.single_file_utils",
    "diffusers.quantizers.auto",
    "diffusers.models.transformers.transformer_flux",
    "scipy.fft._basic",
    "scipy.stats._stats_py",
    "sympy",
    "torch._dynamo.convert_frame",
    "torch.distributed.checkpoint.state_dict_saver",
    "torch.distributed.tensor._ops",
    "torchvision.ops",
    "transformers.loss.loss_d_fine",
)


def run(code: str) -> str:
    start = "from inference.runtime.lazy_imports import defer_imports; defer_imports()\n"
    done = subprocess.run(
        [sys.executable, "-c", start + code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_ready_worker_has_imported_none_of_what_a_small_checkpoint_does_not_use(tmp_path):
    code = f"""
import sys
from inference.api.config import EngineConfig
from inference.worker.worker import Worker

class Sender:
    def send_event(self, event): pass

folder = {str(tmp_path)!r}
Worker.open(EngineConfig(outbox=folder, cache_dir=folder, models_dir=folder), Sender())
stand_ins = [name for name in {HEAVY} if "__getattr__" in vars(sys.modules.get(name, sys))]
print(*[name for name in {HEAVY} if name in sys.modules and name not in stand_ins])
"""
    assert run(code) == ""


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        (
            "from diffusers.models.transformers import FluxTransformer2DModel as network\n"
            "import torch; print(issubclass(network, torch.nn.Module), network.__name__)",
            "True FluxTransformer2DModel",
        ),
        (
            "from diffusers.models import transformers\n"
            "print(hasattr(transformers, 'NoSuchNetwork'), hasattr(transformers, '__path__'))",
            "False True",
        ),
        ("from scipy import fft\nprint(fft.fft([1, 1]).real.tolist())", "[2.0, 0.0]"),
        (
            "import importlib.metadata as metadata\nfound = metadata.packages_distributions()\n"
            "print('PIL' in found, found['PIL'], found.get('nothing.here'))",
            "True ['pillow'] None",
        ),
        (
            "from diffusers.quantizers import DiffusersAutoQuantizer as quantizer\ntry:\n"
            "    quantizer.from_dict({'quant_method': 'none'})\n"
            "except ValueError as error:\n    print('Unknown quantization' in str(error))",
            "True",
        ),
        ("import scipy.stats\nimport scipy.stats\nprint(scipy.stats.beta.ppf(0.5, 1, 1))", "0.5"),
        (
            "import torch, torchvision\nbox = torch.tensor([[0.0, 0.0, 9.0, 9.0]])\n"
            "print(bool(torchvision.__version__),"
            " torchvision.ops.nms(box, torch.ones(1), 0.5).tolist())",
            "True [0]",
        ),
        (
            "import torch\nfrom torch.distributed.tensor import DTensor, Replicate\n"
            "print(isinstance(torch.ones(1), DTensor), repr(Replicate()))\n"
            "from torch.distributed.tensor import DTensor as loaded\n"
            "print(isinstance(torch.ones(1), loaded), isinstance(Replicate(), Replicate))",
            "False Replicate()\nFalse True",
        ),
        (
            "from transformers.loss.loss_utils import LOSS_MAPPING\nimport torch\n"
            "loss = LOSS_MAPPING['ForObjectDetection']\n"
            "from transformers.loss.loss_for_object_detection import ForObjectDetectionLoss\n"
            "try:\n    loss(1)\nexcept TypeError as error:\n    print('ForObjectDetectionLoss()' in"
            " str(error))",
            "True",
        ),
        (
            "import torch\n@torch.compiler.disable\ndef double(x):\n    return 2 * x\n"
            "import torch._dynamo\ntorch._dynamo.reset()\n"
            "print(torch.compile(lambda x: x + 1, backend='eager')(torch.ones(1)).item(),"
            " double(3))",
            "2.0 6",
        ),
    ],
)
def test_what_was_left_out_is_there_when_it_is_used(code, answer):
    assert run(code) == answer


def test_transformers_names_are_read_once(tmp_path):
    code = f"""
from pathlib import Path
from inference.runtime import lazy_imports
lazy_imports.keep_import_scans(Path({str(tmp_path)!r}))
scans = []
class Watched(lazy_imports._KeptScans):
    def __init__(self, scan, store):
        self.unwatched_scan = scan
        super().__init__(lambda *a, **k: scans.append(a) or scan(*a, **k), store)
lazy_imports._KeptScans = Watched
import transformers, transformers.models.clip
from transformers.utils.import_utils import define_import_structure
models = Path(transformers.__file__).parent / "models"
names = define_import_structure(models, prefix="models")
print(bool(scans), names == define_import_structure.unwatched_scan.__wrapped__(models, "models"))
"""
    kept_file = tmp_path / SCANS_FILE
    assert run(code) == "True True"
    kept_names = kept_file.read_text(encoding="utf-8")
    assert run(code) == "False True"
    kept_file.write_text(kept_names[: len(kept_names) // 2], encoding="utf-8")
    assert run(code) == "True True"
    kept_file.write_text(json.dumps({key: [7] for key in json.loads(kept_names)}), encoding="utf-8")
    assert run(code) == "True True"
