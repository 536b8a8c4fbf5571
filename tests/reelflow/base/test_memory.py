"""Memory that is used again, and given back."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

GLIBC = hasattr(ctypes.CDLL(None), "malloc_trim")
SCRIPT = """
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
import numpy as np
from reelflow.base.memory import give_back, use_large_blocks_again

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

def faults():
    for _ in range(3):
        np.ones(25_000_000, np.float32)
    before = getrusage(RUSAGE_SELF).ru_minflt
    for _ in range(5):
        np.ones(25_000_000, np.float32)
    return getrusage(RUSAGE_SELF).ru_minflt - before

anew = faults()
use_large_blocks_again()
again = faults()
full = held()
give_back()
print(anew, again, full - held())
"""


@pytest.mark.skipif(
    not (GLIBC and Path("/proc/self/statm").exists()), reason="of the C library of GNU, on Linux"
)
def test_large_blocks_are_used_again_and_given_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    anew, again, given_back = map(int, done.stdout.split())
    assert anew > 1000  # pages of blocks that were mapped anew
    assert again < anew / 10
    assert given_back > 80  # MB of the last block
