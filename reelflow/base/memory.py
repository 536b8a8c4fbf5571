"""Memory of a process: large blocks are used again, and free ones given back in between.

With the C library of GNU; elsewhere its allocator has its own way.
"""

from __future__ import annotations

import ctypes
import gc
from typing import Final

KEPT: Final = 1 << 28
"""Bytes of blocks, and of free memory at the heap's end, that stay with the process."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h


def use_large_blocks_again() -> None:
    """Let freed blocks of up to 256 MB be used by the next ones.

    By default those of more than 32 MB are mapped anew each time, and the system clears all of
    their pages: steps that train large tables take 1.6 times as long then.
    """
    for parameter in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
        _call("mallopt", parameter, KEPT)


def give_back() -> None:
    """Collect what is not referred to any more, and return free memory to the system."""
    gc.collect()
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)
