"""The targets of quality, measured as served: the default model beside every baseline.

One split of a folder of ratings. The model is asked through its exported signatures, as a server
asks it, with the test hidden; baselines know the same ratings, and their settings come from the
validation ratings. Measuring is that of `reelflow compare`. A page is written as Markdown.

    python -m benchmarks.targets --data data/movielens-latest-small --split last
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import common
from reelflow.base.environment import prepare
from reelflow.base.metrics import LIKED, RAW, UNSEEN, label_at

if TYPE_CHECKING:
    from pipeline.runs.contest import Contest
    from reelflow.config import Config
    from reelflow.evaluation.contest import Entry
    from reelflow.saved_model.client import Signatures

MODEL: Final = "reelflow"
RANKED: Final = ("top_10", "top_100", "ndcg_10")
STARS_OF_HITS: Final = "stars_of_hits_10"
FOUND: Final = f"{UNSEEN}/top_10"
BOUND_PATHS: Final = tuple(f"{by}/{key}" for by in (UNSEEN, LIKED) for key in ("top_10", "top_100"))
"""Metrics in which the model is to be better than every baseline."""
LOSS: Final = 0.1
"""Share of the unseen top-10 accuracy that the final order may cost."""
USERS: Final = 500
"""Users whose recommendations are explained, at most."""
ABOUT: Final = (
    "All are asked as served: from what is known of a user at the cut (train and validation), "
    "nothing of the test, the time of its ratings included; every movie of the catalogue competes "
    "(unseen: without those that the user has rated before; liked: the same, over the test ratings "
    "that count as a like). Settings of baselines are chosen on validation. ± is half of the 95 % "
    "interval of the bootstrap over users; in brackets the 95 % interval of the model's lead over "
    "that line, paired by user."
)


@dataclass(frozen=True)
class Reasons:
    """What explains the recommendations of some users."""

    users: int
    recommendations: int
    explained: int
    """Recommendations that name at least one movie as a reason."""
    reasons: int
    below_mean: int
    """Reasons from movies that the user has rated below the user's own mean."""

    @property
    def share(self) -> float:
        """Share of the reasons from movies rated below the user's mean; 0 without reasons."""
        return self.below_mean / self.reasons if self.reasons else 0.0


@dataclass(frozen=True)
class Outcome:
    """All that was measured on one split."""

    entries: list[Entry]
    """The model, the model in the order of retrieval alone, and the baselines."""
    reasons: Reasons
    rows: int
    facts: list[str]
    """Sentences on data, split, settings and machine."""


def lead(a: Entry, b: Entry, path: str) -> tuple[float, float]:
    """The 95 % interval of how much better `a` is than `b`, paired by user; NaN if unmeasured."""
    from reelflow.base.metrics import METRICS
    from reelflow.evaluation.bootstrap import interval

    if path not in a.resamples or path not in b.resamples:
        return math.nan, math.nan
    sign = 1.0 if METRICS[path.rpartition("/")[2]].higher_is_better else -1.0
    low, high = interval(sign * (a.resamples[path] - b.resamples[path]))
    return low, high


def standing(ends: tuple[float, float]) -> str:
    """`above`, `level` or `below`, by the interval of a lead."""
    if math.isnan(ends[0]):
        return "not measured"
    return "above" if ends[0] > 0 else "below" if ends[1] < 0 else "level"


def measure(config: Config, baselines: Sequence[str], output: Path) -> Outcome:
    """Train, fit and measure everything.

    Raises:
        ReelflowError: a step of the data or of the training failed.
    """
    from pipeline.runs.contest import Contest
    from pipeline.runs.launcher import NodeFinished
    from reelflow.config.layout import Layout
    from reelflow.saved_model.client import Signatures
    from reelflow.saved_model.contract import RETRIEVAL

    # Under an id that was there before, TFX takes over what that run has found.
    run_id = f"targets-{datetime.now():%Y%m%d-%H%M%S-%f}"
    contest = Contest(config, {MODEL: {MODEL: config}}, baselines, Layout.of(output), run_id)
    for event in contest.run():
        if isinstance(event, NodeFinished):
            print(f"{event.node}: {event.state}, {event.seconds:.1f} s", flush=True)
    for name, failure in contest.failures.items():
        raise RuntimeError(f"{name} could not be measured.") from failure
    own = next(entry for entry in contest.entries if entry.name == MODEL)
    others = [entry for entry in contest.entries if entry is not own]
    entries = [own, contest.in_order(MODEL, RETRIEVAL), *others]
    reasons = count_reasons(Signatures.load(contest.models[MODEL]), contest)
    return Outcome(entries, reasons, len(contest.rows), facts(config, contest))


def count_reasons(signatures: Signatures, contest: Contest, count: int = 10) -> Reasons:
    """Explain the recommendations to test users, as a server gives them, and look up the stars."""
    import numpy as np

    from reelflow.base import columns as f
    from reelflow.saved_model.contract import EXPLAIN, RECOMMEND

    data, rows = contest.encoded, contest.rows
    movies = {movie.encode(): at for at, movie in enumerate(data.catalogue.movie_id)}
    stars: dict[tuple[int, int], float] = {}
    for split in (data.train, data.validation, data.test):
        columns = (split.user_index, split.movie_index, split.rating)
        for user, movie, given in zip(*(column.tolist() for column in columns), strict=True):
            stars[user, movie] = given
    given_by: dict[int, list[float]] = {}
    for (user, _), given in stars.items():
        given_by.setdefault(user, []).append(given)
    known = np.flatnonzero(rows.encoded.user_index < data.sizes.users)
    users, first = np.unique(rows.encoded.user_index[known], return_index=True)
    drawn = np.random.default_rng(0).permutation(len(users))[:USERS]
    found = {"recommendations": 0, "explained": 0, "reasons": 0, "below_mean": 0}
    for user, row in zip(users[drawn].tolist(), known[first[drawn]].tolist(), strict=True):
        name = rows.user_id[row]
        listed = signatures.call(RECOMMEND, {f.USER_ID: [name], f.K: count})[f.MOVIE_ID][0]
        listed = [movie for movie in listed if movie]
        answer = signatures.call(EXPLAIN, {f.USER_ID: [name] * len(listed), f.MOVIE_ID: listed})
        mean = float(np.mean(given_by[user]))
        for reasons in answer[f.MOVIE_ID]:
            named = [stars[user, movies[movie]] for movie in reasons if movie]
            found["reasons"] += len(named)
            # The mean of many float32 is not exact.
            found["below_mean"] += sum(given < mean - 1e-4 for given in named)
            found["explained"] += bool(named)
        found["recommendations"] += len(listed)
    return Reasons(users=len(drawn), **found)


def facts(config: Config, contest: Contest) -> list[str]:
    """Sentences on the data, the split, the settings and the machine."""
    comparison, machine = contest.comparison(), common.machine()
    encoded = contest.encoded
    counts = [len(split) for split in (encoded.train, encoded.validation, encoded.test)]
    total = sum(counts)
    shares = " / ".join(f"{count / total:.0%}" for count in counts)
    return [
        f"Data: {Path(str(config.data.path)).name}, {total:,} ratings ({shares} train, validation, "
        f"test), {encoded.sizes.users:,} users in train, {len(encoded.catalogue):,} movies.",
        f"Split: {config.split.kind.value}, seed {config.split.seed}; {comparison.rows:,} test "
        f"ratings of {comparison.users_tested:,} users measured; {comparison.like_threshold:g} "
        "stars count as a like.",
        f"Machine: {machine['cores']} cores ({machine['processor']}), "
        f"{machine['memory_gib']:.0f} GiB.",
        *comparison.settings,
    ]


def figures(outcome: Outcome, paths: Sequence[str]) -> Iterable[dict[str, str]]:
    """A table's rows: each entry's figures, with the model's lead over it."""
    own = outcome.entries[0]
    for entry in outcome.entries:
        line = {"": entry.name}
        for path in paths:
            line[label_at(path, short=True)] = _figure(own, entry, path)
        yield line


def _figure(own: Entry, entry: Entry, path: str) -> str:
    if path not in entry.metrics:
        return "–"
    low, high = entry.intervals[path]
    text = f"{entry.metrics[path]:.4f} ± {(high - low) / 2:.4f}"
    if entry is own:
        return text
    low, high = lead(own, entry, path)
    return f"{text} [{low:+.4f}, {high:+.4f}]"


def targets(outcome: Outcome) -> Iterable[dict[str, str]]:
    """A table's rows: each target, what was measured, and whether it is kept."""
    own, alone, *baselines = outcome.entries
    for path in BOUND_PATHS:
        leads = {entry.name: lead(own, entry, path) for entry in baselines}
        words = [
            f"{word}: {', '.join(names)}"
            for word in ("above", "level", "below", "not measured")
            if (names := [name for name, ends in leads.items() if standing(ends) == word])
        ]
        kept = all(standing(ends) == "above" for ends in leads.values())
        yield _target(f"{label_at(path)}: above every baseline", "; ".join(words), kept)
    reasons = outcome.reasons
    yield _target(
        "Reasons from movies rated below the user's mean: none",
        f"{reasons.below_mean:,} of {reasons.reasons:,} ({reasons.share:.1%}); "
        f"{reasons.recommendations:,} recommendations to {reasons.users:,} users, "
        f"{reasons.explained:,} of them with a reason",
        reasons.below_mean == 0,
    )
    if STARS_OF_HITS in own.metrics and STARS_OF_HITS in alone.metrics:
        low, high = lead(own, alone, STARS_OF_HITS)
        yield _target(
            "Mean true stars of hits in the top 10: higher than by retrieval alone",
            f"{own.metrics[STARS_OF_HITS]:.3f} for {alone.metrics[STARS_OF_HITS]:.3f} "
            f"[{low:+.3f}, {high:+.3f}]",
            own.metrics[STARS_OF_HITS] > alone.metrics[STARS_OF_HITS],
        )
    lost = 1.0 - own.metrics[FOUND] / alone.metrics[FOUND] if alone.metrics[FOUND] else 0.0
    yield _target(
        f"{label_at(FOUND)} that this costs: {LOSS:.0%} at most",
        f"{own.metrics[FOUND]:.4f} for {alone.metrics[FOUND]:.4f} ({lost:+.1%} lost)",
        lost <= LOSS,
    )


def _target(target: str, measured: str, kept: bool) -> dict[str, str]:
    return {"target": target, "measured": measured, "kept": "yes" if kept else "no"}


TABLES: Final[Mapping[str, Callable[[Outcome], Iterable[dict[str, str]]]]] = {
    "Targets": targets,
    **{
        f"Accuracy, {by}": partial(figures, paths=[f"{by}/{key}" for key in RANKED])
        for by in (UNSEEN, LIKED, RAW)
    },
    "Stars": partial(figures, paths=["rmse", STARS_OF_HITS]),
}


def page(title: str, outcome: Outcome) -> str:
    """The page as Markdown."""
    lines = [f"# {title}", "", *(f"- {fact}" for fact in outcome.facts), "", ABOUT]
    for heading, make in TABLES.items():
        rows = list(make(outcome))
        lines += ["", f"## {heading}", "", f"| {' | '.join(rows[0])} |"]
        lines.append("|---" * len(rows[0]) + "|")
        lines += [f"| {' | '.join(row.values())} |" for row in rows]
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure, print and write the page."""
    found = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--data", type=Path, help="folder of ratings; the built-in sample if none")
    found.add_argument("--split", help="kind of split, as split.kind; the configuration's if none")
    found.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    found.add_argument("--baselines", help="names with commas between; all by default")
    found.add_argument("--output", type=Path, help="keeps steps and models for the next time")
    found.add_argument("--page", type=Path, help="Markdown file; in benchmarks/results if none")
    found.add_argument("--short", action="store_true", help="one epoch, one baseline")
    options = found.parse_args()
    prepare()
    run(options)


def run(options: Any) -> None:
    """Measure by the options of `main`."""
    from pipeline.cli.compare import baseline_names
    from reelflow.config.layout import Layout
    from reelflow.data.inputs import effective_config

    overrides = [*options.overrides]
    if options.split:
        overrides.insert(0, f"split.kind={options.split}")
    if options.short:
        overrides += ["train.epochs=1", "train.seeds=1"]
    baselines = baseline_names("popularity" if options.short else options.baselines)
    scratch = nullcontext(options.output) if options.output else tempfile.TemporaryDirectory()
    with scratch as folder:
        layout = Layout.of(Path(folder))
        config = effective_config(layout, data=options.data, overrides=overrides)
        outcome = measure(config, baselines, Path(folder))
    for heading, make in TABLES.items():
        common.show(heading, list(make(outcome)))
    name = f"targets-{Path(str(config.data.path)).name}-{config.split.kind.value}"
    to = options.page or common.RESULTS / f"{name}{'-short' if options.short else ''}.md"
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(page("Targets of quality", outcome), encoding="utf-8")
    print(to)


if __name__ == "__main__":
    main()
