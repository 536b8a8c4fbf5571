"""Top-K requests: our SavedModel, TFRS BruteForce, and a bare product with top_k."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import common

OURS, BRUTE_FORCE, BARE = "Reelflow", "TFRS BruteForce", "matmul + top_k"
SIZE = 64
K = 10
USERS = 6_000
RATINGS = 600_000
BATCHES = (1, 128)


def measure(movies: int, seconds: float, repeats: int) -> common.Measured:
    """Requests of all three in turn, each for some seconds, from saved and loaded models."""
    import numpy as np
    import tensorflow as tf

    from benchmarks import arrays

    data = arrays.encoded(USERS, movies, RATINGS)
    users = arrays.words("u", USERS)
    with tempfile.TemporaryDirectory() as folder:
        calls = {
            OURS: _ours(data, users, Path(folder, "ours")),
            BRUTE_FORCE: _brute_force(data, users, Path(folder, "brute_force")),
            BARE: _bare(movies),
        }
    random = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for batch in BATCHES:
        requests = [
            (tf.constant(rows), tf.constant([users[row] for row in rows]))
            for rows in (random.integers(0, USERS, batch) for _ in range(64))
        ]
        variants = {
            name: (lambda c=call, r=requests: _timed(c, r, seconds)) for name, call in calls.items()
        }
        for call in calls.values():
            call(*requests[0])
        for name, runs in common.interleaved(variants, repeats).items():
            found[f"{name}/{batch}"] = runs
    return {"runs": found}


def _timed(
    call: Callable[[Any, Any], Any], requests: list[tuple[Any, Any]], seconds: float
) -> common.Measured:
    latencies: list[float] = []
    until = time.perf_counter() + seconds
    while (started := time.perf_counter()) < until:
        call(*requests[len(latencies) % len(requests)])
        latencies.append(time.perf_counter() - started)
    latencies.sort()
    batch = len(requests[0][0])
    return {
        "queries_per_second": batch * len(latencies) / sum(latencies),
        "p50_ms": 1000 * latencies[len(latencies) // 2],
        "p99_ms": 1000 * latencies[int(len(latencies) * 0.99)],
    }


def _ours(data: Any, users: list[str], folder: Path) -> Callable[[Any, Any], Any]:
    """The exported model's `serving_default`: known users, seen films masked."""
    import tensorflow as tf

    from components.trainer.signatures import ServingModel
    from components.trainer.tasks import JointModel
    from pipeline.config import ModelConfig

    joint = JointModel(data, ModelConfig(embedding_size=SIZE))
    some = tf.zeros([1], tf.int32)
    joint.query(some, joint.timelines.ends_now(some))
    joint.rating_model(some, some)
    model = ServingModel(joint, data, users)
    tf.saved_model.save(model, str(folder), signatures=model.signatures())
    recommend = tf.saved_model.load(str(folder)).signatures["serving_default"]
    # TF Serving fills in the defaults; Python has to name them.
    rest = {"history": tf.constant([[""]]), "exclusions": tf.constant([[""]]), "k": tf.constant(K)}
    return lambda rows, ids: recommend(user_id=ids, **rest)["score"].numpy()


def _brute_force(data: Any, users: list[str], folder: Path) -> Callable[[Any, Any], Any]:
    """As the retrieval tutorial exports it: user ids in, film ids out, nothing masked."""
    import tensorflow as tf
    import tensorflow_recommenders as tfrs
    import tf_keras as keras

    towers = keras.Sequential(
        [
            keras.layers.StringLookup(vocabulary=users, mask_token=None),
            keras.layers.Embedding(len(users) + 1, SIZE),
        ]
    )
    index = tfrs.layers.factorized_top_k.BruteForce(towers, k=K)
    movies = len(data.catalogue)
    index.index(tf.random.normal([movies, SIZE]), tf.constant(data.catalogue.movie_id))
    index(tf.constant(users[:1]))
    tf.saved_model.save(index, str(folder))
    loaded = tf.saved_model.load(str(folder)).signatures["serving_default"]
    [name] = loaded.structured_input_signature[1]
    return lambda rows, ids: loaded(**{name: ids})["output_1"].numpy()


def _bare(movies: int) -> Callable[[Any, Any], Any]:
    """The least there is to do."""
    import tensorflow as tf

    user_table, films = tf.random.normal([USERS, SIZE]), tf.random.normal([movies, SIZE])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)])
    def best(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        scores = tf.matmul(tf.gather(user_table, rows), films, transpose_b=True)
        return tuple(tf.math.top_k(scores, k=K))

    return lambda rows, ids: best(rows)[0].numpy()


def main() -> None:
    """Measures and reports."""
    chosen = common.options(__doc__)
    catalogues = (4_000, 60_000) if chosen.short else (4_000, 60_000, 1_000_000)
    repeats = chosen.repeats or (1 if chosen.short else 5)
    rows, details = [], {}
    for movies in catalogues:
        runs = common.fresh("serving:measure", movies=movies, seconds=2.0, repeats=repeats)["runs"]
        details[movies] = runs
        speeds = {key: common.median(of, "queries_per_second") for key, of in runs.items()}
        for key, speed in speeds.items():
            name, _, batch = key.partition("/")
            rows.append(
                {
                    "model": name,
                    "films": movies,
                    "batch": int(batch),
                    "queries/s": speed,
                    "× BruteForce": speed / speeds[f"{BRUTE_FORCE}/{batch}"],
                    "time ÷ bare": speeds[f"{BARE}/{batch}"] / speed,
                    "p50 ms": common.median(runs[key], "p50_ms"),
                    "p99 ms": common.median(runs[key], "p99_ms"),
                }
            )
    title = f"Top {K} of a SavedModel, d = {SIZE}"
    common.report("serving", title, rows, short=chosen.short, details={"runs": details})


if __name__ == "__main__":
    main()
