"""All presets and tuned baselines on one protocol: what they find, what they cost.

One table for docs/models.md, as served: every model is asked through its exported signatures with
the test hidden, and the settings of baselines come from validation (`reelflow compare`). Each
preset and baseline has a process of its own and keeps its result in the output folder; what is
there is not measured again, so that a run which was stopped goes on.

    python -m benchmarks.models --protocol leave_last --data my/ml-1m
    python -m benchmarks.models --protocol stars --data my/ml-100k --presets best
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks import common
from reelflow.base.environment import prepare
from reelflow.base.metrics import LIKED, UNSEEN, label_at, metric_at

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from reelflow.config import Config
    from reelflow.config.layout import Layout

RATING_ALONE: Final = ("model.retrieval_weight=0",)
"""Stars are learned apart from lists, so that theirs are those of the whole model."""
PROTOCOLS: Final[Mapping[str, tuple[str, ...]]] = {
    "leave_last": ("split.kind=leave_last",),
    "last": ("split.kind=last",),
    "random": ("split.kind=random", "split.validation=0.1", "split.test=0.1"),
    "stars": (*RATING_ALONE, "split.kind=random", "split.validation=0.08", "split.test=0.2"),
    "stars_90": (*RATING_ALONE, "split.kind=random", "split.validation=0.05", "split.test=0.1"),
    "stars_u1": (
        *RATING_ALONE,
        "split.kind=predefined",
        "split.train=u1.base",
        "split.validation=0.1",
        "split.test=u1.test",
    ),
}
"""Protocol to its settings: each user's last rating, newest shares, or a tenth drawn by chance; of
stars a fifth, a tenth, or MovieLens 100K's own first fold."""
PATHS: Final = (
    *(f"{by}/{key}" for by in (UNSEEN, LIKED) for key in ("top_10", "top_100", "ndcg_10")),
    "rmse",
)
"""Columns of the protocols of lists, which are ordered by the third."""
LIKE_ACCURACY: Final = "like_accuracy"
STAR_PATHS: Final = ("rmse", "mae", LIKE_ACCURACY)
"""Columns of the protocols of stars, which are ordered by the first."""
SHORT: Final = ("train.epochs=1", "train.seeds=1", "train.refit=false")
"""Settings of the short form, whose figures say nothing."""


@dataclass(frozen=True)
class Measured:
    """One preset or baseline, as its file has it."""

    name: str
    baseline: bool
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    cpu_seconds: float | None
    """Processor seconds of training, refit and choices on validation included."""
    parameters: int | None
    megabytes: float | None
    """Size of the exported model; none of a baseline."""
    facts: str
    """Sentence on data and split, the same in all results of a folder."""
    resamples: dict[str, list[float]]
    """Draws that are paired between all results of a folder, by path."""

    @classmethod
    def read(cls, path: Path) -> Measured:
        """Read what `write` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def write(self, path: Path) -> None:
        """Write JSON, at once or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        unfinished.write_text(json.dumps(vars(self), indent=2), encoding="utf-8")
        unfinished.replace(path)


def entry(
    name: str, baseline: bool, data: str | None, overrides: list[str], output: str
) -> common.Measured:
    """Train or fit, measure, and write the result; called in a process of its own."""
    from datetime import datetime

    from pipeline.runs.contest import Contest
    from reelflow.base.errors import ReelflowError
    from reelflow.config.layout import Layout

    layout = Layout.of(Path(output) / "pipeline")
    config = _config(name, baseline, data, overrides, layout)
    run_id = f"models-{name}-{datetime.now():%Y%m%d-%H%M%S-%f}"
    paths = dict.fromkeys([*PATHS, *STAR_PATHS])
    groups = {} if baseline else {name: {name: config}}
    contest = Contest(config, groups, [name] if baseline else [], layout, run_id)
    for _ in contest.run():
        pass
    for failure in contest.failures.values():
        raise ReelflowError(f"{name} could not be measured: {failure}") from failure
    [found] = contest.entries
    result = contest.comparison()
    liked = float((contest.rows.encoded.rating >= result.like_threshold).mean())
    Measured(
        name=name,
        baseline=baseline,
        metrics={path: found.metrics[path] for path in paths if path in found.metrics},
        intervals={path: found.intervals[path] for path in paths if path in found.intervals},
        cpu_seconds=contest.cpu_seconds.get(name),
        parameters=found.parameters,
        megabytes=None if baseline else _megabytes(contest.models[name]),
        facts=(
            f"{Path(str(config.data.path)).name}: {result.rows:,} test ratings of "
            f"{result.users_tested:,} users, {result.train_rows:,} train and validation ratings, "
            f"{result.users:,} users, {result.movies:,} movies; split {result.split['kind']}, seed "
            f"{result.split['seed']}; {result.like_threshold:g} stars count as a like, and always "
            f"saying the more frequent answer is right {max(liked, 1 - liked):.1%} of the time."
        ),
        resamples={
            path: found.resamples[path].tolist() for path in paths if path in found.resamples
        },
    ).write(result_file(Path(output), name))
    return {"name": name}


def _config(
    name: str, baseline: bool, data: str | None, overrides: list[str], layout: Layout
) -> Config:
    """Return the configuration of one entry: data and split are those of `best`."""
    from pipeline.cli.compare import compared_configs

    presets = ["best"] if baseline or name == "best" else ["best", name]
    folder = None if data is None else Path(data)
    configs = compared_configs(layout, [], presets, folder, None, overrides)
    return configs["best" if baseline else name]


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def result_file(output: Path, name: str) -> Path:
    """The file of one preset or baseline."""
    return output / f"{name}.json"


def rows(results: Sequence[Measured], paths: Sequence[str] = PATHS) -> list[dict[str, str]]:
    """The table: presets, then baselines, each the better the earlier."""
    by = STAR_PATHS[0] if paths is STAR_PATHS else PATHS[2]
    order = sorted(results, key=lambda r: (r.baseline, -_sign(by) * r.metrics.get(by, 0.0)))
    best = {
        path: max(
            (one for one in results if path in one.metrics),
            key=lambda one: _sign(path) * one.metrics[path],
            default=None,
        )
        for path in paths
    }
    return [
        {
            "": f"`{one.name}`",
            **{_label(path): _figure(one, best[path], path) for path in paths},
            "CPU s": "–" if one.cpu_seconds is None else f"{one.cpu_seconds:,.0f}",
            "parameters": "–" if one.parameters is None else f"{one.parameters:,}",
            "MB": "–" if one.megabytes is None else f"{one.megabytes:,.1f}",
        }
        for one in order
    ]


def _label(path: str) -> str:
    return "Like accuracy" if path == LIKE_ACCURACY else label_at(path, short=True)


def _sign(path: str) -> float:
    return 1.0 if path == LIKE_ACCURACY or metric_at(path).higher_is_better else -1.0


def _figure(one: Measured, best: Measured | None, path: str) -> str:
    """A value with half of its interval; bold if it is the best or level with it."""
    if path not in one.metrics or best is None:
        return "–"
    text = f"{one.metrics[path]:.4f}"
    if path in one.intervals:
        low, high = one.intervals[path]
        text += f" ±{(high - low) / 2:.3f}".replace("±0.", "±.")
    return f"**{text}**" if _as_good(one, best, path) else text


def _as_good(one: Measured, best: Measured, path: str) -> bool:
    import numpy as np

    from reelflow.evaluation.bootstrap import interval

    if one is best or path not in one.resamples or path not in best.resamples:
        return one is best
    draws: list[npt.NDArray[np.float64]] = [np.array(r.resamples[path]) for r in (one, best)]
    low, high = interval(draws[0] - draws[1])
    return low <= 0.0 <= high


def page(protocol: str, results: Sequence[Measured], failures: Mapping[str, str]) -> str:
    """The table as Markdown, with what it is of."""
    machine = common.machine()
    lines = [
        f"# Models, {protocol}",
        "",
        *dict.fromkeys(one.facts for one in results),
        "",
        "As served, with everything known at the cut and nothing of the test. ± is half of the "
        "95 % interval of the bootstrap over users; bold: the best, and what test ratings cannot "
        "tell from it (paired). Settings of baselines are chosen on validation. CPU s: processor "
        f"seconds of training on {machine['cores']} cores ({machine['processor']}), refit and the "
        "choice of mixtures included; of a baseline the fit alone. MB: the exported model.",
        "",
    ]
    table = rows(results, STAR_PATHS if protocol.startswith("stars") else PATHS)
    if table:
        lines += [f"| {' | '.join(table[0])} |", "|---" * len(table[0]) + "|"]
        lines += [f"| {' | '.join(row.values())} |" for row in table]
    lines += [f"\n{name} failed: {reason}" for name, reason in failures.items()]
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure what is missing, print the table and write the page."""
    found = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--protocol", choices=list(PROTOCOLS), required=True)
    found.add_argument("--data", type=Path, help="folder of ratings; the built-in sample if none")
    found.add_argument("--presets", help="names with commas between; all by default")
    found.add_argument("--baselines", help="names with commas between, or none; all by default")
    found.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    found.add_argument("--output", type=Path, help="folder of results; what is there is kept")
    found.add_argument("--short", action="store_true", help="one epoch, to try the command")
    options = found.parse_args()
    prepare()
    failures = run(options)
    raise SystemExit(1 if failures else 0)


def run(options: argparse.Namespace) -> dict[str, str]:
    """Measure by the options of `main`; return what failed, and why."""
    from pipeline.cli.compare import baseline_names
    from reelflow.config.loading import preset_names

    names = preset_names() if options.presets is None else options.presets.split(",")
    wanted = {name.strip(): False for name in names if name.strip()}
    wanted |= dict.fromkeys(baseline_names(options.baselines), True)
    data = "sample" if options.data is None else options.data.resolve().name
    kind = f"models-{data}-{options.protocol}{'-short' if options.short else ''}"
    output: Path = options.output or common.RESULTS / kind
    overrides = [*PROTOCOLS[options.protocol], *(SHORT if options.short else ())]
    overrides += options.overrides
    failures: dict[str, str] = {}
    for name, baseline in wanted.items():
        if result_file(output, name).is_file():
            print(f"{name}: kept", flush=True)
            continue
        try:
            measured = common.fresh(
                "models:entry",
                name=name,
                baseline=baseline,
                data=None if options.data is None else str(options.data.resolve()),
                overrides=overrides,
                output=str(output.resolve()),
            )
        except RuntimeError as error:
            failures[name] = str(error).strip().splitlines()[-1]
            print(f"{name}: {failures[name]}", flush=True)
            continue
        print(f"{name}: {measured['call_seconds']:.0f} s", flush=True)
    results = [
        Measured.read(result_file(output, name))
        for name in wanted
        if result_file(output, name).is_file()
    ]
    output.mkdir(parents=True, exist_ok=True)
    text = page(options.protocol, results, failures)
    (output / "page.md").write_text(text, encoding="utf-8")
    print(text, output / "page.md", sep="\n")
    return failures


if __name__ == "__main__":
    main()
