"""The model card as plain data, in Markdown and in HTML.

Its contents follow Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from reelflow.base.columns import RETRIEVAL_TASK, TOWERS
from reelflow.base.metrics import METRICS, UNSEEN, label_at
from reelflow.base.nouns import Noun
from reelflow.data.words import data_sentences
from reelflow.evaluation.slices import AGE, GENDER
from reelflow.report import render
from reelflow.report.blocks import Table
from reelflow.report.inputs import Inputs
from reelflow.report.sections.gate import verdict
from reelflow.report.sections.order import mix_in_words
from reelflow.report.sections.slices import by_key, part_label, slice_label, slice_labels
from reelflow.report.words import (
    contestants,
    count,
    counted,
    format_interval,
    format_metric,
    headline_paths,
    listed_paths,
    percent,
)

MARKDOWN_FILE: Final = "model_card.md"
HTML_FILE: Final = "model_card.html"


@dataclass(frozen=True)
class Part:
    """A part of the card: a heading with paragraphs, a list and tables."""

    title: str
    paragraphs: Sequence[str] = ()
    items: Sequence[str] = ()
    tables: Sequence[Table] = ()


@dataclass(frozen=True)
class Card:
    """A model's purpose, data, metrics and limits."""

    title: str
    parts: Sequence[Part]


def build(inputs: Inputs) -> Card:
    """Return the card of a run's model."""
    return Card(
        f"Model card: a Reelflow {inputs.noun.one} recommender",
        [
            _model(inputs),
            _use(inputs.noun),
            _data(inputs),
            _metrics(inputs),
            _groups(inputs),
            _limits(inputs),
            _privacy(inputs),
        ],
    )


def as_markdown(card: Card) -> str:
    """Return the card in Markdown, with texts from the data escaped."""
    return render.render("model_card.md.j2", card=card)


def as_html(card: Card) -> str:
    """Return the card as one self-contained HTML file."""
    return render.render("model_card.html.j2", card=card)


def _model(inputs: Inputs) -> Part:
    info, settings, noun = inputs.info, inputs.info.model or {}, inputs.noun
    size = settings.get("embedding_size")
    items = []
    if RETRIEVAL_TASK in info.trained_tasks:
        items.append(
            "Retrieval: two towers"
            + (f" with embeddings of {size} dimensions" if size else "")
            + f"; the score of {noun.a} is the dot product of query and candidate embedding, over "
            "the whole catalogue."
        )
    if info.mix is not None and info.mix.weights != {TOWERS: 1.0}:
        items.append(
            "Terms of the retrieval score, each in standard deviations over the catalogue: "
            f"{mix_in_words(info.mix)}."
        )
    if inputs.scope.stars:
        items.append("Rating: a model of its own that predicts stars.")
    else:
        items.append("No ratings: it learned what users turn to, and predicts no stars.")
    if info.blend is not None and info.blend.weight:
        items.append(
            f"Final order: the first {noun.many} of retrieval are sorted by the retrieval score "
            f"plus {info.blend.weight:g} times the predicted like."
        )
    if info.parameters is not None:
        items.append(f"{count(info.parameters)} learned parameters.")
    return Part("Model", [verdict(inputs.outcome, inputs.serving_check)], items)


def _use(noun: Noun) -> Part:
    return Part(
        "Intended use",
        [f"Recommending {noun.many} to people from what they and others have rated."],
        [
            f"Meant for: ranking {noun.many} for a user, similar {noun.many}, predicted stars.",
            f"Not meant for: {noun.many} or users of another kind than those it learned from, "
            "decisions about people, or conclusions about what a person is like.",
        ],
    )


def _data(inputs: Inputs) -> Part:
    ingested = inputs.quarantine
    splits = list(ingested.rows.splits.items())
    paragraphs = [
        f"{counted(ingested.rows.kept, 'rating')} by {counted(ingested.users, 'user')} of "
        f"{inputs.noun.counted(ingested.movies)}, format {ingested.format}. "
        f"{counted(ingested.refused, 'damaged row')} set aside in quarantine.",
        " ".join(data_sentences(ingested, inputs.noun)),
        f"Content hash: {ingested.data_hash}",
    ]
    if ingested.synthetic:
        paragraphs.insert(
            0, f"The ratings are synthetic: figures say nothing about real {inputs.noun.many}."
        )
    return Part("Data", paragraphs, (), [Table("Ratings by split", ("Split", "Ratings"), splits)])


def _metrics(inputs: Inputs) -> Part:
    model, *others = contestants(inputs.results)
    paths = [path for path in listed_paths(inputs.scope) if model.value(path) is not None]
    rows = [
        [
            label_at(path),
            format_metric(path, model.value(path)),
            format_interval(path, model.intervals[path]) if path in model.intervals else "–",
            format_metric(path, model.over_users(path)),
            *(format_metric(path, other.value(path)) for other in others),
        ]
        for path in paths
    ]
    labels = (other.label for other in others)
    header = ["Metric", model.label, "95 % interval", "Mean over users", *labels]
    return Part("Metrics", [_judged(inputs)], (), [Table("Metrics", header, rows)])


def _judged(inputs: Inputs) -> str:
    """Return in words what the figures are of."""
    results, live = inputs.results, inputs.results.live
    words = (
        f"On {count(results.rows)} test ratings, ranked among the whole catalogue, by the exported "
        "model itself, asked as a server asks it with the test ratings hidden. Unseen leaves out "
        f"{inputs.noun.many} that the user had rated before, as what users get does; raw does not."
    )
    if inputs.scope.likes and results.like_threshold is not None:
        words += f" Liked is unseen over test ratings of {results.like_threshold:g} stars or more."
    path = METRICS["top_100"].path(UNSEEN)
    if live is not None:
        figures = (format_metric(path, one.value(path)) for one in (live.nightly, live.metrics))
        words += (
            " Histories are nightly, as of the cut; with live ones {1} instead of {0} of "
            "{2} test ratings are among the first 100 unseen {3}."
        ).format(*figures, count(live.rows), inputs.noun.many)
    return f"{words} Intervals are a bootstrap over users."


def _groups(inputs: Inputs) -> Part:
    tables = []
    paths = headline_paths(inputs.scope)
    for key, parts in by_key(inputs.results).items():
        rows = []
        for part in parts:
            cells: list[str] = []
            for path in paths:
                ends = part.intervals.get(path)
                cells.append(format_metric(path, part.value(path)))
                cells.append(format_interval(path, ends) if ends else "–")
            rows.append([part_label(part, inputs.noun), count(part.rows), *cells])
        labels = [text for path in paths for text in (label_at(path, short=True), "95 %")]
        header = (slice_labels(inputs.noun).get(key, key), "Ratings", *labels)
        tables.append(Table(f"By {slice_label(key, inputs.noun)}", header, rows))
    return Part("Metrics by group", (), (), tables)


def _limits(inputs: Inputs) -> Part:
    unknown, noun = inputs.results.out_of_vocabulary, inputs.noun
    items = [
        f"The users who rated {noun.many}, and the {noun.many} that they rated, are no fair sample "
        f"of those who turn to {noun.many}: the model repeats the tastes of the users who rate "
        "most.",
        f"Popular {noun.many} are found more easily than rare ones; {noun.a} without ratings is "
        "known by its genres, year and words alone. The groups by popularity above say by how "
        "much.",
        f"A user without ratings gets {noun.many} by the ones given in the request, or else "
        "popular ones. Known and new users are groups of their own above.",
        f"Test ratings are of {noun.many} that users chose to rate; {noun.a} that a user did not "
        "rate counts as not relevant, though it may be.",
        "Tastes and catalogues change: train again on newer ratings.",
    ]
    if (newcomers := inputs.results.newcomers) is not None:
        path = METRICS["top_10"].path(UNSEEN)
        named = [point for point in newcomers.curve if point.named is not None]
        numbers = ", ".join(str(point.named) for point in named)
        figures = ", ".join(format_metric(path, point.metrics[path]) for point in named)
        items.append(
            f"Of {count(newcomers.users)} test users asked for as if they were new, by the first "
            f"{numbers} {noun.many} that they rated, {figures} of the test ratings are among the "
            "first 10 of their lists (with none: what is popular of late)."
        )
    if unknown:
        items.append(
            f"Of the test ratings, {percent(unknown.get('users'), 2)} are by users and "
            f"{percent(unknown.get('movies'), 2)} of {noun.many} that training did not know."
        )
    return Part("Limits and bias", (), items)


def _privacy(inputs: Inputs) -> Part:
    used = {GENDER, AGE} & {part.key for part in inputs.results.slices}
    return Part(
        "Privacy",
        (),
        [
            f"The exported model holds user ids and the {inputs.noun.many} that each user rated, "
            "those of the test split included, so that it can leave them out and explain its "
            "choices. Treat it like the ratings themselves.",
            "Recommendations and explanations reveal tastes; the server has no access control of "
            "its own.",
            "Gender and age were used for the groups above; the model's answers do not hold them."
            if used
            else "No attributes of users, such as gender or age, were used.",
            "The report beside this card shows histories of a few users: share it as you would "
            "share the ratings.",
        ],
    )
