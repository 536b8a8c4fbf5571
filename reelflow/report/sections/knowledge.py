"""Accuracy by knowledge: known and new users and movies, nightly and live histories."""

from __future__ import annotations

from reelflow.base.metrics import METRICS, UNSEEN, Scope, label_at, metric_at
from reelflow.base.nouns import MOVIE, Noun
from reelflow.evaluation.results import FirstMovies, Live, Newcomers, Results
from reelflow.evaluation.slices import KNOWLEDGE
from reelflow.report.blocks import Block, Figure, Section, Table, Text
from reelflow.report.charts.lines import Line, Lines
from reelflow.report.sections.slices import by_key, slice_figure, slice_table
from reelflow.report.words import (
    ALL,
    count,
    format_interval,
    format_metric,
    headline_paths,
    listed_paths,
    unit_of,
)


def knowledge_section(results: Results, scope: Scope = ALL, noun: Noun = MOVIE) -> Section:
    """Show known users, new users and new movies apart, and live beside nightly histories."""
    blocks: list[Block] = []
    if parts := by_key(results).get(KNOWLEDGE):
        paths = [METRICS["top_10"].path(UNSEEN), *headline_paths(scope)]
        blocks += [slice_figure(results, KNOWLEDGE, parts, path, noun) for path in paths]
        blocks.append(slice_table(KNOWLEDGE, parts, scope, noun, folded=False))
    if results.live is not None:
        blocks += _live(results.live, scope)
    else:
        blocks.append(
            Text(
                "Live histories are not measured: they need a split by time, and users with test "
                "ratings of more than one moment."
            )
        )
    if results.newcomers is not None:
        blocks += _newcomers(results.newcomers, noun)
    lead = (
        f"Known users and {noun.many} have ratings in training. A new user has none there and is "
        f"answered from ratings that validation has of the user, or else with popular {noun.many}. "
        f"A rating by a new user of a new {noun.one} counts in both groups."
    )
    return Section("knowledge", "Known and new", lead, blocks)


def _live(live: Live, scope: Scope) -> list[Block]:
    rows = []
    for path in listed_paths(scope):
        nightly, value = live.nightly.value(path), live.metrics.value(path)
        if nightly is None or value is None or not metric_at(path).ranked:
            continue  # stars are those of `rate`, which knows no live history
        ends = live.intervals.get(path)
        rows.append(
            [
                label_at(path),
                format_metric(path, nightly),
                format_metric(path, value),
                format_interval(path, ends) if ends else "–",
                format_metric(path, live.nightly.over_users.get(path)),
                format_metric(path, live.metrics.over_users.get(path)),
            ]
        )
    words = (
        "Nightly: the model knows each user as of the cut; all other figures of this page and the "
        "gate are these. Live: each test rating is asked with what its user has rated in the test "
        "split strictly before, as a server does that is told at once what users do."
    )
    header = ("Metric", "Nightly", "Live", "Live, 95 %", "Nightly, over users", "Live, over users")
    caption = f"Nightly and live histories, on the same {count(live.rows)} test ratings"
    return [Text(words), Table(caption, header, rows)]


def _newcomers(newcomers: Newcomers, noun: Noun) -> list[Block]:
    """Draw the accuracy for new users over the number of movies that they name, and list it."""
    hits, gains = (METRICS[key].path(UNSEEN) for key in ("top_10", "ndcg_10"))
    unit = unit_of(hits)
    named = [point for point in newcomers.curve if point.named is not None]
    known = [point for point in newcomers.curve if point.named is None]
    numbers = [float(point.named or 0) for point in named]

    def line(name: str, points: list[FirstMovies], at: list[float], dashed: bool) -> Line:
        ends = [point.intervals.get(hits, (0.0, 0.0)) for point in points]
        return Line(
            name,
            at,
            [unit.scale * point.metrics[hits] for point in points],
            None if dashed else [unit.scale * (high - low) / 2 for low, high in ends],
            dashed,
        )

    lines = [line(f"by the first {noun.many}", named, numbers, False)]
    lines += [
        line("the same users, known", [point, point], [0.0, max(numbers)], True) for point in known
    ]
    chart = Lines(lines, f"{noun.many} that a new user names", unit.symbol)
    words = "; ".join(
        f"{_named(point, noun)}: {format_metric(hits, point.metrics[hits])}"
        for point in newcomers.curve
    )
    rows = [
        [
            _named(point, noun),
            *(
                text
                for path in (hits, gains)
                for text in (
                    format_metric(path, point.metrics[path]),
                    format_interval(path, point.intervals[path]),
                )
            ),
        ]
        for point in newcomers.curve
    ]
    header = ("Known of the user", label_at(hits), "95 %", label_at(gains), "95 %")
    about = (
        f"{count(newcomers.users)} users of the test split asked for as if they were new: by an "
        f"unknown id and the first {noun.many} that they rated, with the stars. With none named "
        f"the answer is what is popular of late. The other {noun.many} that they rated before do "
        "not compete. The model has been trained on their ratings among all others."
    )
    caption = f"New users by the first {noun.many} they name, {count(newcomers.rows)} test ratings"
    title = f"{label_at(hits)} by the first {noun.many} of a new user"
    return [Text(about), Figure(title, chart, f"{words}."), Table(caption, header, rows)]


def _named(point: FirstMovies, noun: Noun) -> str:
    if point.named is None:
        return "all, by the user's id"
    if not point.named:
        return "nothing"
    return f"{point.named} {noun.one if point.named == 1 else noun.many}"
