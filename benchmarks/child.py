"""The other side of `common.fresh`: one function in a process of its own."""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from pathlib import Path

from reelflow.base.environment import prepare


def main(function: str, arguments: str, out: str) -> None:
    """Call `module:function` with JSON arguments and writes what it returned and took."""
    prepare()
    started = time.perf_counter()
    module, _, name = function.partition(":")
    call = getattr(importlib.import_module(f"benchmarks.{module}"), name)
    imported = time.perf_counter()
    measured = call(**json.loads(arguments))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    measured = {
        "import_seconds": imported - started,
        "call_seconds": time.perf_counter() - imported,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
        **measured,
    }
    Path(out).write_text(json.dumps(measured))


if __name__ == "__main__":
    main(*sys.argv[1:])
