"""A model that begins with the champion's weights against one that begins with nothing.

The ratings of a folder are cut in two spans by time; the champion is trained on the first one.
On both spans together one model begins cold and one warm, with the same configuration and seed.
Told are the validation metrics after each epoch, and how many epochs each needs to be as good as
the cold model at its best.

    python -m benchmarks.warm_start --data data/movielens-latest-small
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import common
from reelflow.base.environment import prepare

ROWS = 1024
"""Validation ratings that are ranked at a time."""
LOWER, HIGHER = min, max
METRICS = {
    "retrieval_loss": LOWER,
    "top_100": HIGHER,
    "rmse": LOWER,
}


def cut(folder: Path, to: Path, share: float) -> None:
    """Write `to/1` and `to/2`, the earlier and the later ratings, with the movies above them."""
    import pyarrow.csv

    ratings = pyarrow.csv.read_csv(folder / "ratings.csv").sort_by("timestamp")
    first = int(ratings.num_rows * share)
    for name, part in (("1", ratings[:first]), ("2", ratings[first:])):
        (to / name).mkdir(parents=True)
        pyarrow.csv.write_csv(part, to / name / "ratings.csv")
    (to / "movies.csv").write_bytes((folder / "movies.csv").read_bytes())


def encoded(path: str, span: str, split: Mapping[str, Any], output: Path) -> tuple[Any, list[str]]:
    """Encoded ratings up to a span, and the user vocabulary, by the pipeline's own nodes."""
    import tensorflow_transform as tft

    from pipeline.definition import create_pipeline
    from pipeline.runs import launcher
    from pipeline.runs.lineage import read_run
    from reelflow.base import columns as f
    from reelflow.config import Config
    from reelflow.encoding.encoded import EncodedData

    config = Config.model_validate({"data": {"path": path, "span": span}, "split": split})
    ir = launcher.compile_pipeline(create_pipeline(config, str(output)), f"to-{span}")
    for _ in launcher.run(ir, "RatingsEncoder"):
        pass
    run = read_run(output / "metadata.db", f"to-{span}")
    graph = tft.TFTransformOutput(str(run.output("Transform", "transform_graph").uri))
    users = [word.decode() for word in graph.vocabulary_by_name(f.USER_VOCABULARY)]
    return EncodedData.load(run.output("RatingsEncoder", "encoded").uri), users


def train(data: Any, config: Any, start: Any) -> tuple[Any, list[dict[str, float]]]:
    """A trained model, and its validation metrics before the first epoch and after each one."""
    from reelflow.model.fit import fit

    told = metrics_by_epoch(data)
    with tempfile.TemporaryDirectory() as logs:
        joint, history = fit(data, config.model, config.train, Path(logs), start, [told])
    for name in ("retrieval_loss", "rating_loss"):
        losses = history[f"val_{name}"]
        told.epochs += [{} for _ in range(1 + len(losses) - len(told.epochs))]
        for epoch, value in enumerate(losses, start=1):
            told.epochs[epoch][name] = value
            if name == "rating_loss":
                told.epochs[epoch]["rmse"] = math.sqrt(value)
    return joint, told.epochs


def metrics_by_epoch(data: Any) -> Any:
    """A callback that ranks all validation ratings, seen movies left out; in `epochs`."""
    import numpy as np
    import tensorflow as tf
    import tf_keras as keras

    from reelflow.base import columns as f
    from reelflow.model.ranking import exact_ranks

    rows = data.validation.only_known(data.sizes)

    class Told(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.epochs: list[dict[str, float]] = []

        def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
            self.on_epoch_end(-1)

        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            joint, hits = self.model, 0
            if f.RETRIEVAL_TASK not in joint.learning:
                return
            movies = joint.candidate_tower.catalogue()
            for first in range(0, len(rows), ROWS):
                part = rows.take(np.arange(first, min(first + ROWS, len(rows))))
                queries = joint.query(tf.constant(part.user_index), tf.constant(part.history_end))
                scores = tf.matmul(queries, movies, transpose_b=True)
                seen = joint.timelines.seen(tf.constant(part.user_index))
                _, unseen = exact_ranks(scores, tf.constant(part.movie_index), seen)
                hits += int(tf.reduce_sum(tf.cast(unseen <= 100, tf.int32)))
            self.epochs.append({"top_100": hits / len(rows)})

    return Told()


def epochs_to(quality: float, epochs: Sequence[Mapping[str, float]], metric: str) -> int | None:
    """Epochs until a metric is as good; none if it never is."""
    for epoch, metrics in enumerate(epochs):
        value = metrics.get(metric)
        if value is not None and METRICS[metric](value, quality) == value:
            return epoch
    return None


def measure(folder: Path, share: float, kind: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows of the table, and the metrics of every epoch."""
    from reelflow.config import Config
    from reelflow.model.champion_weights import ChampionWeights
    from reelflow.model.warm_start import plan_start

    config = Config.model_validate({"split": {"kind": kind}})
    with tempfile.TemporaryDirectory() as scratch:
        cut(folder, Path(scratch) / "ratings", share)
        path, split = f"{scratch}/ratings/{{SPAN}}", config.split.model_dump()
        before, users_before = encoded(path, "1", split, Path(scratch) / "output")
        now, users_now = encoded(path, "2", split, Path(scratch) / "output")
        joint, first = train(before, config, None)
        plan = plan_start(None, before, users_before, config.model, config.split)
        ChampionWeights.of(joint, plan.vocabularies, plan.record).save(Path(scratch))
        plan = plan_start(Path(scratch), now, users_now, config.model, config.split)
        print(plan.message())
        _, cold = train(now, config, None)
        _, warm = train(now, config, plan.transfer)
    rows = []
    for metric, best in METRICS.items():
        quality = best(epoch[metric] for epoch in cold if metric in epoch)
        rows.append(
            {
                "validation metric": metric,
                "cold, best": quality,
                "epochs, cold": epochs_to(quality, cold, metric),
                "epochs, warm": epochs_to(quality, warm, metric),
                "warm, best": best(epoch[metric] for epoch in warm if metric in epoch),
            }
        )
    details = {
        "champion": first,
        "cold": cold,
        "warm": warm,
        "beginning": plan.info().as_json(),
        "train_rows": [len(before.train), len(now.train)],
        "validation_rows": len(now.validation),
    }
    return rows, details


def main() -> None:
    """Measure and reports."""
    parser = common.parser(__doc__)
    parser.add_argument("--data", type=Path, default=Path("data/movielens-latest-small"))
    parser.add_argument("--share", type=float, default=0.8, help="of the ratings in the first span")
    parser.add_argument("--split", choices=("random", "temporal"), default="random")
    options = parser.parse_args()
    prepare()
    rows, details = measure(options.data, options.share, options.split)
    by_epoch = [
        {
            "epoch": epoch,
            **{
                f"{name}, {metric}": run[epoch].get(metric, math.nan)
                if epoch < len(run)
                else math.nan
                for metric in METRICS
                for name, run in (("cold", details["cold"]), ("warm", details["warm"]))
            },
        }
        for epoch in range(max(len(details["cold"]), len(details["warm"])))
    ]
    common.show("Validation after each epoch; 0 is before the first", by_epoch)
    name = f"warm_start-{options.split}"
    common.report(name, "Epochs to the cold model's best", rows, short=False, details=details)


if __name__ == "__main__":
    main()
