"""Retrieve, then rank: the final order beside retrieval alone, and how its weights were chosen."""

from __future__ import annotations

from collections.abc import Sequence

from reelflow.base.columns import DIRECTED, ITEMS, NEIGHBOURS, SPECTRAL, TOWERS
from reelflow.base.metrics import LIKED, METRICS, RAW, UNSEEN, Scope, label_at
from reelflow.base.nouns import MOVIE, Noun
from reelflow.evaluation.results import Lists, Results
from reelflow.report.blocks import Block, Figure, Section, Table, Text
from reelflow.report.charts.lines import Line, Lines
from reelflow.report.words import (
    ALL,
    counted,
    format_difference,
    format_interval,
    format_metric,
    percent,
    unit_of,
)
from reelflow.saved_model.contract import BLEND, RETRIEVAL
from reelflow.saved_model.files import ChosenMix, ChosenWeight, MixTrial, ModelInfo, WeightTrial

_HITS = METRICS["stars_of_hits_10"].key
_UNSEEN_10, _UNSEEN_100 = (METRICS[key].path(UNSEEN) for key in ("top_10", "top_100"))
_LIKED_10, _LIKED_100 = (METRICS[key].path(LIKED) for key in ("top_10", "top_100"))
_LIKED_NDCG = METRICS["ndcg_10"].path(LIKED)
COMPARED = (
    _UNSEEN_10,
    _LIKED_10,
    _LIKED_NDCG,
    _HITS,
    _UNSEEN_100,
    _LIKED_100,
    METRICS["top_100"].path(RAW),
)
"""Metrics of the final order beside retrieval alone."""
_BLEND = "weight of the predicted like"
TERM_LABELS = {
    TOWERS: "towers",
    ITEMS: "what is rated by the same users",
    SPECTRAL: "the main directions of taste",
    DIRECTED: "what follows",
    NEIGHBOURS: "what is rated around the same time",
}
"""Terms of retrieval in words."""


def order_section(
    results: Results, info: ModelInfo, scope: Scope = ALL, noun: Noun = MOVIE
) -> Section:
    """Show what the final order gives and costs, and the weights on validation ratings."""
    blocks: list[Block] = []
    if results.retrieval is None:
        blocks.append(Text("The final order of this model is that of retrieval alone."))
    else:
        blocks.append(_comparison(results, scope))
    if results.lists:
        blocks += _lists(results.lists, noun)
    blocks += _blend(info.blend, scope)
    blocks += _mix(info.mix, scope)
    lead = (
        "Retrieval finds the candidates: by towers, and by linear models in closed form, each "
        "term's scores in standard deviations over the catalogue, mixed by one set of weights. "
    )
    if scope.stars:
        lead += (
            "The candidates' final order blends the retrieval score with the predicted like, by "
            "one weight. All are chosen on validation ratings, never on test ratings."
        )
    else:
        lead += "They are chosen on validation ratings, never on test ratings."
    return Section("order", "Retrieve, then rank", lead, blocks)


def _comparison(results: Results, scope: Scope) -> Table:
    """List the metrics on the test split, as served and by retrieval alone."""
    final, retrieval = results.metrics, results.retrieval
    assert retrieval is not None
    ends = results.intervals
    rows = []
    for path in scope.of(COMPARED):
        a, b = final.value(path), retrieval.value(path)
        if a is None or b is None:
            continue
        shown = []
        for value, intervals in ((a, ends.model), (b, ends.retrieval)):
            shown.append(format_metric(path, value))
            found = (intervals or {}).get(path)
            shown.append(format_interval(path, found) if found else "–")
        rows.append([label_at(path), *shown, format_difference(path, a - b)])
    header = ("Metric", "Final order", "95 %", "Retrieval alone", "95 %", "Difference")
    return Table("On the test split", header, rows)


def _lists(measured: Sequence[Lists], noun: Noun) -> list[Block]:
    """List what lists of ten show in each order."""
    names = {BLEND: "Final order", RETRIEVAL: "Retrieval alone"}
    rows = [
        [
            names[lists.order],
            "–" if lists.stars is None else f"{lists.stars:.2f}",
            percent(lists.coverage),
            f"{lists.novelty:.2f} bits",
        ]
        for lists in measured
    ]
    words = (
        f"The lists themselves, whether a test rating is in them or not. Coverage is the share of "
        f"all {noun.many} that is in one of the lists. Novelty is the mean of −log2 of the share "
        f"of users who have rated a listed {noun.one}: one that half of them have rated has 1 bit."
    )
    header = ("Order", "Mean predicted stars", "Coverage", "Novelty")
    caption = f"Lists of ten of {counted(measured[0].users, 'test user')}"
    return [Text(words), Table(caption, header, rows)]


def _blend(blend: ChosenWeight | None, scope: Scope) -> list[Block]:
    if blend is None:
        return []
    if not blend.trials:
        return [Text(_set(_BLEND, blend))]
    accuracy = scope.of([_UNSEEN_10, _LIKED_10])
    return [
        Text(
            f"The {_BLEND} is {blend.weight:g}: of those tried that keep at least 98 % of "
            "the top-10 accuracy (unseen) of retrieval alone, which is the weight 0, the smallest "
            "within one standard error of the best by NDCG@10 (liked). These figures are on "
            "validation ratings."
        ),
        _figure("Accuracy over the blend, on validation ratings", blend, accuracy, _BLEND),
        _figure("Stars of the hits over the blend, on validation ratings", blend, [_HITS], _BLEND),
        _trials(f"All values of the {_BLEND}, on validation ratings", blend, scope),
    ]


def mix_in_words(mix: ChosenMix) -> str:
    """Name the terms with their weights, the largest first."""
    by_weight = sorted(mix.weights.items(), key=lambda one: -one[1])
    parts = []
    for name, weight in by_weight:
        settings = "".join(
            f", {key} {value:g}" for key, value in mix.settings.get(name, {}).items()
        )
        parts.append(f"{weight:g} of {TERM_LABELS.get(name, name)} ({name}{settings})")
    return "; ".join(parts)


def _mix(mix: ChosenMix | None, scope: Scope) -> list[Block]:
    if mix is None:
        return []
    words = f"The retrieval score is {mix_in_words(mix)}"
    mixtures = [trial for trial in mix.trials if len(trial.weights) > 1]
    if not mixtures or len(mix.trials) < 2:
        return [Text(f"{words}: set, and not chosen on validation ratings.")]
    names = [name for name in TERM_LABELS if any(name in trial.weights for trial in mixtures)]
    return [
        Text(
            f"{words}, by the mean gain 1 / log2(1 + rank) over the whole unseen list, "
            f"on validation ratings: of {len(mix.trials)} mixtures and single terms that were "
            "tried, the one with the fewest terms within a quarter of a standard error of the best."
        ),
        _profile(mix, names),
        _mix_trials(mix, names, scope),
    ]


def _profile(mix: ChosenMix, names: Sequence[str]) -> Figure:
    """Draw the best gain at each weight of each term."""
    lines, words = [], []
    for name in names:
        best: dict[float, float] = {}
        for trial in mix.trials:
            weight = round(trial.weights.get(name, 0.0), 6)
            best[weight] = max(best.get(weight, 0.0), trial.gain)
        points = sorted(best.items())
        lines.append(Line(TERM_LABELS[name], [x for x, _ in points], [y for _, y in points]))
        at, gain = max(points, key=lambda point: point[1])
        words.append(f"{name}: best at {at:g}, {gain:.4f}")
    chart = Lines(lines, "weight of the term", "mean gain")
    title = "Best mean gain at each weight of a term, on validation ratings"
    return Figure(title, chart, "; ".join(words) + ".")


def _mix_trials(mix: ChosenMix, names: Sequence[str], scope: Scope) -> Table:
    paths = scope.of(dict.fromkeys(path for trial in mix.trials for path in trial.metrics))
    rows = [
        [
            *(f"{trial.weights.get(name, 0.0):g}" for name in names),
            _settings(trial) + (", chosen" if _is_chosen(trial, mix) else ""),
            f"{trial.gain:.4f}",
            *(format_metric(path, trial.metrics.get(path)) for path in paths),
        ]
        for trial in mix.trials
    ]
    header = [*names, "Settings", "Mean gain", *(label_at(path, short=True) for path in paths)]
    return Table("All mixtures that were tried, on validation ratings", header, rows, folded=True)


def _settings(trial: MixTrial) -> str:
    return ", ".join(
        f"{name} {key} {value:g}"
        for name, settings in trial.settings.items()
        for key, value in settings.items()
    )


def _is_chosen(trial: MixTrial, mix: ChosenMix) -> bool:
    if trial.weights.keys() != mix.weights.keys() or trial.settings != mix.settings:
        return False
    return all(abs(trial.weights[name] - weight) < 1e-3 for name, weight in mix.weights.items())


def _set(name: str, chosen: ChosenWeight) -> str:
    return f"The {name} is {chosen.weight:g}: set, and not chosen on validation ratings."


def _figure(title: str, chosen: ChosenWeight, paths: Sequence[str], axis: str) -> Figure:
    """Draw metrics of one unit over a weight, with the chosen weight marked."""
    lines, words = [], []
    unit = unit_of(paths[0])
    for path in paths:
        points = [
            (trial.weight, unit.scale * trial.metrics[path])
            for trial in chosen.trials
            if path in trial.metrics
        ]
        if points:
            lines.append(Line(label_at(path), [x for x, _ in points], [y for _, y in points]))
        first, at = chosen.trials[0], _chosen(chosen)
        if path in first.metrics and at is not None and path in at.metrics:
            words.append(
                f"{label_at(path)} is {format_metric(path, first.metrics[path])} at "
                f"{first.weight:g} and {format_metric(path, at.metrics[path])} at the chosen "
                f"{at.weight:g}"
            )
    chart = Lines(lines, axis, unit.symbol, marks=[(chosen.weight, f"chosen: {chosen.weight:g}")])
    return Figure(title, chart, "; ".join(words) + "." if words else "There are no hits to draw.")


def _chosen(chosen: ChosenWeight) -> WeightTrial | None:
    return next((trial for trial in chosen.trials if trial.weight == chosen.weight), None)


def _trials(caption: str, chosen: ChosenWeight, scope: Scope) -> Table:
    measured = dict.fromkeys(path for trial in chosen.trials for path in trial.metrics)
    paths = scope.of(measured)
    rows = [
        [
            f"{trial.weight:g}" + (", chosen" if trial.weight == chosen.weight else ""),
            *(format_metric(path, trial.metrics.get(path)) for path in paths),
        ]
        for trial in chosen.trials
    ]
    header = ["Weight", *(label_at(path, short=True) for path in paths)]
    return Table(caption, header, rows, folded=True)
