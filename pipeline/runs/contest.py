"""The measurement of `reelflow compare`: configurations and baselines on one split. Imports TFX."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text
from tfx.proto.orchestration import pipeline_pb2
from tfx.types import artifact_utils, standard_artifacts

from components.evaluator import read_test_rows
from pipeline import ENCODER, EXAMPLE_GEN, TRAINER
from pipeline.definition import create_pipeline
from pipeline.runs import launcher
from pipeline.runs.launcher import NodeFinished, NodeStarted, State
from pipeline.runs.lineage import read_run
from pipeline.runs.process import StepFailed, as_reelflow_error
from reelflow.base import columns as f
from reelflow.base.errors import BadInput
from reelflow.base.metrics import LIKED, METRICS, RAW, UNSEEN, inline, label_at
from reelflow.baselines import BASELINES
from reelflow.config import Config
from reelflow.config.layout import Layout
from reelflow.encoding.encoded import EncodedData, Int32
from reelflow.evaluation.contest import LIST_LENGTH, Entry, as_good, measure
from reelflow.evaluation.knowledge import as_of_the_cut, numbered
from reelflow.evaluation.metrics import Predictions
from reelflow.evaluation.predictions import (
    TestRows,
    baseline_predictions,
    baseline_recommendations,
    model_predictions,
    model_recommendations,
)
from reelflow.evaluation.results import Chosen
from reelflow.evaluation.selection import choose
from reelflow.model.stars import like_threshold
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.files import ModelInfo

Events = Iterator[NodeStarted | NodeFinished]
Answers = tuple[Predictions, Int32, float | None, int | None, Chosen | None, State]
"""An entry's predictions for the test rows, recommendations, seconds of training, parameters and,
of a baseline, settings."""
Stability = dict[str, dict[str, list[str]]]
"""Configuration to its other seeds' names, each to the metrics outside the first one's interval."""

LEGEND: Final = (
    "± is half of the 95 % interval over users (bootstrap). Bold: the best, and what the test rows "
    "cannot tell from it (paired bootstrap). unseen: movies rated before are left out; liked: the "
    "same, over test ratings that count as a like; raw: rated movies compete. Figures are means "
    "over test ratings, those over users give each user the same weight. All know train and "
    "validation, nothing of the test. With one movie to find, top-k accuracy is Recall@k."
)


class Contest:
    """Configurations and baselines, measured on the test rows of one split.

    Data steps and training are nodes of the pipeline: they come from its cache, and a model that
    `reelflow run` has trained is not trained again. Models are asked through their exported
    signatures, as they would be served. Every entry sees the test rows once.

    Attributes:
        entries: the measurements, after `run`.
        failures: name to error of what could not be measured, after `run`.
        models: configuration to its trained SavedModel, after `run`.
        encoded: the encoded ratings of all splits, after `run`.
        rows: the test rows that were measured, after `run`.
    """

    encoded: EncodedData
    rows: TestRows

    def __init__(
        self,
        base: Config,
        groups: Mapping[str, Mapping[str, Config]],
        baselines: Sequence[str],
        layout: Layout,
        run_id: str,
    ) -> None:
        """Compile the data steps; nothing is run.

        Args:
            base: data, split and size of the test sample for all entries.
            groups: configuration to its seeds' names and configurations, itself first.
            baselines: names in BASELINES.
            layout: the output folder.
            run_id: in MLMD; each configuration's own has its name appended.
        """
        self.entries: list[Entry] = []
        self.failures: dict[str, Exception] = {}
        self.models: dict[str, Path] = {}
        self._base = base
        self._groups = groups
        self._configs = {name: c for seeds in groups.values() for name, c in seeds.items()}
        self._baselines = baselines
        self._layout = layout
        self._run_id = run_id
        self._ir = self._compile(base, run_id)

    @property
    def steps(self) -> list[str]:
        """Data steps, baselines and configurations, in order."""
        return [*launcher.node_ids(self._ir, ENCODER), *self._baselines, *self._configs]

    def run(self) -> Events:
        """Run the data steps, then measure every baseline and configuration.

        Raises:
            BadInput: the test split is empty.
            ReelflowError: a data step refused its input.
            Exception: any other failure of a data step, after its `NodeFinished`.
        """
        yield from launcher.run(self._ir, ENCODER)
        run = read_run(self._layout.metadata, self._run_id)
        encoded = EncodedData.load(run.output(ENCODER, "encoded").uri)
        self.encoded, self._data = encoded, as_of_the_cut(encoded)
        examples = standard_artifacts.Examples()
        examples.uri = str(run.output(EXAMPLE_GEN, "examples").uri)
        examples.split_names = artifact_utils.encode_split_names(list(f.RATING_SPLITS))
        rows = read_test_rows(examples, encoded)
        if len(rows) == 0:
            raise BadInput("The test split is empty.", "Give split.test more ratings.")
        self._liked_from = like_threshold(encoded.train.rating, self._base.model)
        self.rows = rows.sample(self._base.gate.max_test_rows, self._base.split.seed)
        for name in self._baselines:
            yield from self._measured(name, self._ask_baseline)
        for name in self._configs:
            yield from self._measured(name, self._ask_model)

    def in_order(self, name: str, order: str) -> Entry:
        """Measure a model of `run` once more, in another final order.

        Args:
            name: of its configuration.
            order: one of `contract.ORDERS`.

        Returns:
            An entry called as the order, whose resamples are paired with those of all others.
        """
        signatures = Signatures.load(self.models[name])
        predictions = model_predictions(signatures, self.rows, len(self._data.catalogue), order)
        return measure(
            order,
            predictions,
            np.zeros((0, LIST_LENGTH), np.int32),
            self.rows,
            self._data,
            seed=self._base.split.seed,
            fit_seconds=None,
            parameters=None,
            liked_from=self._liked_from,
        )

    def comparison(self) -> Comparison:
        """Return the result of `run`."""
        errors = {name: as_reelflow_error(e, name) for name, e in self.failures.items()}
        seeds = {name: list(group) for name, group in self._groups.items()}
        return Comparison(
            split=self._base.split.model_dump(mode="json"),
            rows=len(self.rows),
            users_tested=len(set(self.rows.user_id.tolist())),
            train_rows=len(self._data.train),
            users=self._data.sizes.users,
            movies=len(self._data.catalogue),
            failures={
                name: error.reason if isinstance(error, StepFailed) else error.message
                for name, error in errors.items()
            },
            like_threshold=self._liked_from,
            settings=[setting_sentence(e.name, e.chosen) for e in self.entries if e.chosen],
            seeds=list(stability_sentences(stability(self.entries, seeds))),
            entries=self.entries,
        )

    def _measured(self, name: str, ask: Callable[[str], Answers]) -> Events:
        """Measure one entry; a failure is kept in `failures`, and the others go on."""
        yield NodeStarted(name)
        began = time.monotonic()
        state: State = "failed"
        try:
            predictions, lists, fit_seconds, parameters, chosen, state = ask(name)
            entry = measure(
                name,
                predictions,
                lists,
                self.rows,
                self._data,
                seed=self._base.split.seed,
                fit_seconds=fit_seconds,
                parameters=parameters,
                liked_from=self._liked_from,
                chosen=chosen,
            )
            self.entries.append(entry)
        except Exception as failure:
            logging.exception("%s failed.", name)
            self.failures[name], state = failure, "failed"
        yield NodeFinished(name, state, time.monotonic() - began)

    def _compile(self, config: Config, run_id: str) -> pipeline_pb2.Pipeline:
        # The rest of the graph is not run: it measures nothing, and pushes.
        return launcher.compile_pipeline(create_pipeline(config, str(self._layout.output)), run_id)

    def _ask_baseline(self, name: str) -> Answers:
        """Choose a baseline's settings, and fit it."""
        chosen = choose(name, self.encoded, self._base.split.seed)
        baseline = BASELINES[name](**chosen.settings)
        began = time.monotonic()
        baseline.fit(self._data)
        seconds = time.monotonic() - began
        rows = numbered(self.rows, self.encoded)
        _, first = np.unique(rows.users, return_index=True)
        users = rows.encoded.user_index[first]
        predictions = baseline_predictions(baseline, rows, self._data)
        lists = baseline_recommendations(baseline, users, self._data, LIST_LENGTH)
        return predictions, lists, seconds, baseline.parameters, chosen, "done"

    def _ask_model(self, name: str) -> Answers:
        """Train a configuration, or take its model from the cache."""
        run_id = f"{self._run_id}-{name}"
        state: State = "failed"
        for event in launcher.run(self._compile(self._configs[name], run_id), TRAINER):
            if isinstance(event, NodeFinished):
                state = event.state
        model = read_run(self._layout.metadata, run_id).output(TRAINER, "model").saved_model
        self.models[name] = model
        info, signatures = ModelInfo.read(model), Signatures.load(model)
        # The same users as the baselines', by the ids that models know.
        _, first = np.unique(self.rows.users, return_index=True)
        users = self.rows.user_id[first]
        predictions = model_predictions(signatures, self.rows, len(self._data.catalogue))
        lists = model_recommendations(signatures, users, self._data, LIST_LENGTH)
        return predictions, lists, info.fit_seconds, info.parameters, None, state


def stability(entries: Sequence[Entry], groups: Mapping[str, Sequence[str]]) -> Stability:
    """Compare each configuration's other seeds with the first one's 95 % intervals.

    Args:
        entries: all that were measured; seeds that failed are left out.
        groups: configuration to the names of its seeds, its own name first.
    """
    by_name = {entry.name: entry for entry in entries}
    return {
        name: {
            other: [
                metric
                for metric, (low, high) in by_name[name].intervals.items()
                if not low <= by_name[other].metrics[metric] <= high
            ]
            for other in names
            if other != name and other in by_name
        }
        for name, names in groups.items()
        if len(names) > 1 and name in by_name
    }


def stability_sentences(stable: Stability) -> Iterator[str]:
    """Return one sentence for each configuration that was trained with several seeds."""
    for name, others in stable.items():
        wrong = [f"{other}: {', '.join(metrics)}" for other, metrics in others.items() if metrics]
        if wrong:
            yield f"{name}: outside the interval of the first seed: {'; '.join(wrong)}."
        elif others:
            count = len(others)
            seeds = "another seed stays" if count == 1 else f"{count} other seeds stay"
            yield f"{name}: {seeds} inside the 95 % interval in every metric."


def setting_sentence(name: str, chosen: Chosen) -> str:
    """Return a sentence on the settings of a baseline, and on the budget that they come from."""
    settings = ", ".join(f"{key} {value:g}" for key, value in chosen.settings.items())
    if chosen.tried < 2:
        return f"{name}: {settings or 'no settings'}, nothing to choose."
    return (
        f"{name}: {settings}; the best of {chosen.tried} by {label_at(chosen.metric, short=True)} "
        f"on {chosen.rows:,} validation ratings."
    )


@dataclass(frozen=True)
class Comparison:
    """The content of a comparison's JSON file, in full precision."""

    split: dict[str, Any]
    """Section `split` of the configuration."""
    rows: int
    """Test ratings that were predicted."""
    users_tested: int
    train_rows: int
    users: int
    """Users in train."""
    movies: int
    failures: dict[str, str]
    """Name to reason."""
    seeds: list[str]
    """Sentences on the stability across seeds."""
    entries: list[Entry]
    like_threshold: float
    """Stars from which on a test rating counts as a like."""
    settings: list[str] = field(default_factory=list)
    """Sentences on the settings of baselines, and on how many were tried."""

    def save(self, page: Path) -> None:
        """Write a Markdown page, and the JSON file beside it."""
        text = json.dumps(self.as_json(), indent=2)
        page.with_suffix(".json").write_text(text, encoding="utf-8")
        page.write_text(self.as_markdown(), encoding="utf-8")

    def as_json(self) -> dict[str, Any]:
        """Return everything except the bootstrap's resamples."""
        names = ("name", "metrics", "over_users", "intervals", "fit_seconds", "parameters")
        entries = [
            {name: getattr(entry, name) for name in names}
            | {"chosen": None if entry.chosen is None else asdict(entry.chosen)}
            for entry in self.entries
        ]
        return {**vars(self), "entries": entries}

    def as_markdown(self) -> str:
        """Return a page with data and split, the table and its legend."""
        names = " | ".join(entry.name for entry in self.entries)
        lines = [
            "# Comparison",
            "",
            f"{self.rows:,} test ratings of {self.users_tested:,} users; "
            f"{self.train_rows:,} train ratings, {self.users:,} users, {self.movies:,} movies; "
            f"split {self.split['kind']}, seed {self.split['seed']}; "
            f"from {self.like_threshold:g} stars on a rating counts as a like.",
            "",
            f"| metric | {names} |",
            f"|---|{'---:|' * len(self.entries)}",
        ]
        for label, line in cells(self.entries).items():
            figures = [f"**{cell.text}**" if cell.bold else cell.text for cell in line]
            lines.append(f"| {label} | {' | '.join(figures)} |")
        failed = [f"{name} failed: {reason}" for name, reason in self.failures.items()]
        for paragraph in (LEGEND, *self.settings, *self.seeds, *failed):
            lines += ["", paragraph]
        return "\n".join([*lines, ""])

    def as_table(self) -> Table:
        """Return the table for a terminal: metrics down, entries across."""
        table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
        table.add_column("Metric", no_wrap=True)
        for entry in self.entries:
            table.add_column(entry.name, justify="right", overflow="fold")
        ends = {row.label for row in ROWS if row.ends_section}
        for label, line in cells(self.entries).items():
            texts = [Text(cell.text, style="bold" if cell.bold else "") for cell in line]
            table.add_row(label, *texts, end_section=label in ends)
        return table


@dataclass(frozen=True)
class Row:
    """A metric in the table."""

    label: str
    key: str
    higher_is_better: bool | None
    """None if neither direction is better."""
    ends_section: bool = False
    over_users: bool = False
    """True for the mean over users."""


_RANKED = [metric for metric in METRICS.values() if metric.ranked]
ROWS: Final = (
    *(
        Row(f"{inline(m.short)}, {by}", m.path(by), m.higher_is_better, m is _RANKED[-1])
        for by in (UNSEEN, LIKED, RAW)
        for m in _RANKED
    ),
    *(
        Row(f"{inline(METRICS[key].short)}, {by}, users", METRICS[key].path(by), None, False, True)
        for by in (UNSEEN, LIKED)
        for key in ("top_10", "ndcg_10")
    ),
    Row("RMSE, users", "rmse", None, ends_section=True, over_users=True),
    Row("coverage@10", "coverage_10", None),
    Row("novelty@10, bits", "novelty_10", None, ends_section=True),
    *(Row(m.short, m.key, m.higher_is_better) for m in METRICS.values() if not m.ranked),
    Row("like accuracy", "like_accuracy", True, ends_section=True),
)


@dataclass(frozen=True)
class Cell:
    """A figure; bold if it is the best, or as good as the best."""

    text: str
    bold: bool = False


def cells(entries: Sequence[Entry]) -> dict[str, list[Cell]]:
    """Return the table: label to one cell for each entry."""
    lines = {row.label: _cells(row, entries) for row in ROWS}
    seconds = [entry.fit_seconds for entry in entries]
    lines["fit, seconds"] = [Cell("–" if s is None else f"{s:.1f}") for s in seconds]
    parameters = [entry.parameters for entry in entries]
    lines["parameters"] = [Cell("–" if p is None else f"{p:,}") for p in parameters]
    return lines


def _cells(row: Row, entries: Sequence[Entry]) -> list[Cell]:
    if row.over_users:
        means = [entry.over_users.get(row.key) for entry in entries]
        return [Cell("–" if mean is None else f"{mean:.4f}") for mean in means]
    sign = 1 if row.higher_is_better else -1
    measured = [entry for entry in entries if row.key in entry.metrics]
    best = max(measured, key=lambda entry: sign * entry.metrics[row.key], default=None)
    line = []
    for entry in entries:
        if best is None or row.key not in entry.metrics:
            line.append(Cell("–"))
            continue
        text = f"{entry.metrics[row.key]:.4f}"
        if row.key in entry.intervals:
            low, high = entry.intervals[row.key]
            text += f" ±{(high - low) / 2:.3f}".replace("±0.", "±.")
        bold = row.higher_is_better is not None and as_good(entry, best, row.key)
        line.append(Cell(text, bold))
    return line
