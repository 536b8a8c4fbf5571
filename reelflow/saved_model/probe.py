"""The fresh process: loads a SavedModel as a server would, questions it, writes what it found.

    python -m reelflow.saved_model.probe MODEL_DIR REPORT_JSON

Imports neither TFX nor Beam, so that whatever the model needs of them would come to light.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf

from reelflow.base.columns import MOVIE_ID, TITLE, USER_ID, K
from reelflow.saved_model import contract
from reelflow.saved_model.files import CATALOGUE, GOLDEN
from reelflow.saved_model.golden import Golden, call, compare, read

WARM_UP: Final = 10
REQUESTS: Final = 50


def probe(model_dir: Path) -> dict[str, Any]:
    """Load and question a model.

    Returns:
        `reasons` against it (sentences; empty is good), `golden` (requests compared),
        `load_seconds`, and `latency_ms` (`median` and `p95` of single-user requests; null if they
        were not measured).
    """
    start = time.perf_counter()
    model = tf.saved_model.load(str(model_dir))
    report: dict[str, Any] = {
        "reasons": [],
        "golden": 0,
        "load_seconds": round(time.perf_counter() - start, 3),
        "latency_ms": None,
    }
    signatures = model.signatures
    report["reasons"] += contract.missing_parts(_parts(signatures))
    golden = read(model_dir / GOLDEN)
    users = contract.known_users(golden)
    if not users:
        report["reasons"].append(f"{GOLDEN} has no request of a known user")
    if report["reasons"]:
        return report

    def ask(name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return call(signatures[name], inputs)

    report["golden"] = len(golden)
    report["reasons"] += compare_all(golden, ask)
    catalogue = pq.read_table(model_dir / CATALOGUE, columns=[MOVIE_ID, TITLE]).to_pydict()
    pairs = zip(catalogue[MOVIE_ID], catalogue[TITLE], strict=True)
    titles = {movie: title or "" for movie, title in pairs}
    subjects = contract.Subjects(users[0], titles, contract.uses_history(golden))
    report["reasons"] += contract.broken_promises(ask, subjects)
    report["latency_ms"] = latency(ask, users)
    return report


def compare_all(golden: Sequence[Golden], ask: contract.Ask) -> list[str]:
    """Differences between the answers of the training process and this one's."""
    return [
        f"golden request {number}: {difference}"
        for number, one in enumerate(golden, start=1)
        for difference in compare(one, ask(one.signature, one.inputs))
    ]


def latency(ask: contract.Ask, users: Sequence[str]) -> dict[str, float]:
    """Milliseconds that one request for ten movies takes, one user at a time."""
    milliseconds = []
    for number in range(WARM_UP + REQUESTS):
        start = time.perf_counter()
        ask(contract.RECOMMEND, {USER_ID: [users[number % len(users)]], K: 10})
        milliseconds.append(1_000 * (time.perf_counter() - start))
    median, p95 = np.percentile(milliseconds[WARM_UP:], [50, 95])
    return {"median": round(float(median), 3), "p95": round(float(p95), 3)}


def _parts(signatures: Mapping[str, Any]) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """Names of the inputs and outputs of each signature."""
    return {
        name: (
            frozenset(signature.structured_input_signature[1]),
            frozenset(signature.structured_outputs),
        )
        for name, signature in signatures.items()
    }


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(probe(Path(sys.argv[1]))), encoding="utf-8")
