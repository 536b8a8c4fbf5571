"""One preset trained three times: the same seed twice, and the next one.

The same seed gives the same figures; another stays within the 95 % intervals of the first. Each
training has an output folder of its own, so that none comes from the cache of another.

    python -m benchmarks.seeds --protocol leave_last --data my/ml-100k
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks import common
from benchmarks.models import PATHS, PROTOCOLS, SHORT, Measured, result_file
from reelflow.base.environment import prepare

SEEDS = {"first": 42, "again": 42, "next": 43}
"""Training to its seed."""


def main() -> None:
    """Measure, and print the table."""
    found = common.parser(__doc__)
    found.formatter_class = argparse.RawDescriptionHelpFormatter
    found.add_argument("--protocol", choices=list(PROTOCOLS), default="leave_last")
    found.add_argument("--data", type=Path, help="folder of ratings; the built-in sample if none")
    found.add_argument("--preset", default="best")
    options = found.parse_args()
    prepare()
    with tempfile.TemporaryDirectory(prefix="reelflow-seeds-") as folder:
        results = {
            name: _trained(options, name, seed, Path(folder)) for name, seed in SEEDS.items()
        }
    rows = table(results)
    common.report("seeds", f"{options.preset}, {options.protocol}", rows, short=options.short)


def _trained(options: argparse.Namespace, name: str, seed: int, folder: Path) -> Measured:
    overrides = [*PROTOCOLS[options.protocol], *(SHORT if options.short else ())]
    common.fresh(
        "models:entry",
        name=options.preset,
        baseline=False,
        data=None if options.data is None else str(options.data.resolve()),
        overrides=[*overrides, f"train.seed={seed}"],
        output=str(folder / name),
    )
    return Measured.read(result_file(folder / name, options.preset))


def table(results: dict[str, Measured]) -> list[dict[str, str]]:
    """Return a row for each metric: both seeds, equality of the same, interval of the first."""
    first, again, following = (results[name] for name in SEEDS)
    rows = []
    for path in PATHS:
        if path not in first.metrics:
            continue
        low, high = first.intervals.get(path, (float("nan"),) * 2)
        value = following.metrics[path]
        rows.append(
            {
                "metric": path,
                f"seed {SEEDS['first']}": f"{first.metrics[path]:.4f}",
                "again": "the same" if again.metrics[path] == first.metrics[path] else "differs",
                f"seed {SEEDS['next']}": f"{value:.4f}",
                "95 % interval": f"{low:.4f} to {high:.4f}",
                "inside": "yes" if low <= value <= high else "no",
            }
        )
    return rows


if __name__ == "__main__":
    main()
