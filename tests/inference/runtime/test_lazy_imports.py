"""In processes of their own, since what a process has imported stays."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "diffusers.loaders.single_file_utils",
    "diffusers.models.transformers.transformer_flux",
    "scipy.stats._stats_py",
    "sympy",
    "torch._dynamo.convert_frame",
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


def test_a_worker_imports_none_of_what_a_small_checkpoint_does_not_use():
    code = f"""
import sys, inference.worker.worker
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
