"""A load takes hardly more memory than the weights that it loads, whatever the file's format."""

import json
import os
import subprocess
import sys

#: What Python and torch take beside the weights, of which there are some 50 to 190 MB.
SPARE_BYTES = 12 * 2**20
COUNT = """
import json
from benchmarks.load_formats import measure_formats
counts = measure_formats(768)
print(json.dumps({case: (count.weights, count.own) for case, count in counts.items()}))
"""


def test_no_load_takes_a_tenth_more_than_its_weights():
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    run = subprocess.run(
        [sys.executable, "-c", COUNT], capture_output=True, text=True, env=environment, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    counts = json.loads(run.stdout.splitlines()[-1])

    assert len(counts) == 7
    assert min(weights for weights, _ in counts.values()) > 3 * SPARE_BYTES
    for case, (weights, own) in counts.items():
        assert own <= 1.1 * weights + SPARE_BYTES, (case, own / weights)
