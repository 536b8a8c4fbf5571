"""Holds configurations and baselines against each other on one split.

Imports TFX: let nothing that must start quickly import this module.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text
from tfx.types import artifact_utils, standard_artifacts

from components.evaluator import read_test_rows
from pipeline.definition import create_pipeline
from pipeline.runs import launcher
from pipeline.runs.launcher import NodeFinished, NodeStarted, State
from pipeline.runs.lineage import PipelineRun, read_run
from reelflow.base import columns as f
from reelflow.base.errors import BadInput
from reelflow.baselines import BASELINES
from reelflow.config import Config
from reelflow.config.layout import Layout
from reelflow.encoding.encode import training_data
from reelflow.encoding.encoded import EncodedData
from reelflow.evaluation.contest import LIST_LENGTH, Entry, measure
from reelflow.evaluation.predictions import (
    TestRows,
    baseline_predictions,
    baseline_recommendations,
    model_predictions,
    model_recommendations,
)
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.files import ModelInfo

if TYPE_CHECKING:
    from reelflow.evaluation.contest import Entry


EXAMPLE_GEN = "RatingsExampleGen"
ENCODER = "RatingsEncoder"
TRAINER = "Trainer"

Events = Iterator[NodeStarted | NodeFinished]


class Contest:
    """One split, and everybody on it.

    Data steps and training are nodes of the pipeline: they come from its cache, and what `reelflow
    run` has trained is not trained again. Models are asked through their exported signatures, as
    they would be served. Everybody sees the test split once.
    """

    def __init__(
        self,
        base: Config,
        configs: Mapping[str, Config],
        baselines: Sequence[str],
        layout: Layout,
        run_id: str,
    ) -> None:
        """Compiles; nothing is run.

        Args:
            base: its data, split and size of the test sample are everybody's.
            configs: name to configuration.
            baselines: names in BASELINES.
            layout: the output folder.
            run_id: in MLMD; each configuration's own has its name appended.
        """
        self.entries: list[Entry] = []
        self.failures: dict[str, Exception] = {}
        self._base = base
        self._configs = configs
        self._baselines = baselines
        self._layout = layout
        self._run_id = run_id
        self._ir = self._compile(base, run_id)

    @property
    def steps(self) -> list[str]:
        """Data steps and contestants, in order."""
        return [*launcher.node_ids(self._ir, ENCODER), *self._baselines, *self._configs]

    def run(self) -> Events:
        """Run everything; afterwards `entries`, `failures`, `data` and `rows` are there.

        Raises:
            BadInput: the test split is empty.
            ReelflowError: a data step refused its input.
            Exception: any other failure of a data step, after its `NodeFinished`.
        """
        yield from launcher.run(self._ir, ENCODER)
        run = read_run(self._layout.metadata, self._run_id)
        encoded = EncodedData.load(run.output(ENCODER, "encoded").uri)
        self.data = training_data(encoded, self._base.train.model_dump())
        self.rows = self._test_rows(run)
        for name in self._baselines:
            yield from self._contestant(name, self._baseline)
        for name in self._configs:
            yield from self._contestant(name, self._model)

    def _contestant(self, name: str, measured: Callable[[str], tuple[Entry, State]]) -> Events:
        """Measure one; who fails is noted in `failures`, and the others go on."""
        yield NodeStarted(name)
        began = time.monotonic()
        try:
            entry, state = measured(name)
        except Exception as failure:
            logging.exception("%s failed.", name)
            self.failures[name] = failure
            yield NodeFinished(name, "failed", time.monotonic() - began)
            return
        self.entries.append(entry)
        yield NodeFinished(name, state, time.monotonic() - began)

    def _compile(self, config: Config, run_id: str) -> Any:
        # The rest of the graph is not run: it says nothing about the model, and pushes.
        return launcher.compile_pipeline(create_pipeline(config, str(self._layout.output)), run_id)

    def _test_rows(self, run: PipelineRun) -> TestRows:
        examples = standard_artifacts.Examples()
        examples.uri = str(run.output(EXAMPLE_GEN, "examples").uri)
        examples.split_names = artifact_utils.encode_split_names(list(f.RATING_SPLITS))
        rows = read_test_rows(examples, self.data)
        if len(rows) == 0:
            raise BadInput("The test split is empty.", "Give split.test more ratings.")
        return rows.sample(self._base.gate.max_test_rows, self._base.split.seed)

    def _baseline(self, name: str) -> tuple[Entry, State]:
        baseline = BASELINES[name]()
        began = time.monotonic()
        baseline.fit(self.data)
        seconds = time.monotonic() - began
        users = np.unique(self.rows.encoded.user_index)
        entry = measure(
            name,
            baseline_predictions(baseline, self.rows, self.data),
            baseline_recommendations(baseline, users, self.data, LIST_LENGTH),
            self.rows.encoded,
            self.data,
            seed=self._base.split.seed,
            fit_seconds=seconds,
            parameters=baseline.parameters,
            liked_from=self._base.model.like_threshold,
        )
        return entry, "done"

    def _model(self, name: str) -> tuple[Entry, State]:
        """Train a configuration, or takes it from the cache, and measures it."""
        run_id = f"{self._run_id}-{name}"
        state: State = "failed"
        for event in launcher.run(self._compile(self._configs[name], run_id), TRAINER):
            if isinstance(event, NodeFinished):
                state = event.state
        trained = read_run(self._layout.metadata, run_id).output(TRAINER, "model")
        model = trained.uri / "Format-Serving"
        info, signatures = ModelInfo.read(model), Signatures.load(model)
        # The same users as the baselines', by the ids that models know.
        _, first = np.unique(self.rows.encoded.user_index, return_index=True)
        entry = measure(
            name,
            model_predictions(signatures, self.rows, len(self.data.catalogue)),
            model_recommendations(signatures, self.rows.user_id[first], self.data, LIST_LENGTH),
            self.rows.encoded,
            self.data,
            seed=self._base.split.seed,
            fit_seconds=info.fit_seconds,
            parameters=info.parameters,
            liked_from=self._base.model.like_threshold,
        )
        return entry, state


# The same configuration under several train seeds: does another seed stay in the interval?


Stability = dict[str, dict[str, list[str]]]
"""Configuration to its other seeds' names, each to the metrics outside the first one's interval."""


def with_seeds(configs: Mapping[str, Config], count: int) -> dict[str, dict[str, Config]]:
    """Each configuration's name to itself and `count - 1` copies with the next seeds."""
    return {
        name: {
            name if i == 0 else f"{name}-seed{config.train.seed + i}": _seeded(config, i)
            for i in range(count)
        }
        for name, config in configs.items()
    }


def stability(entries: Sequence[Entry], groups: Mapping[str, Sequence[str]]) -> Stability:
    """What of the other seeds lies outside the first one's 95 % interval; who failed is left out.

    Args:
        entries: everybody who was measured.
        groups: configuration to the names of its seeds, itself first.
    """
    by_name = {entry.name: entry for entry in entries}
    return {
        name: {
            other: outside(by_name[name], by_name[other])
            for other in names
            if other != name and other in by_name
        }
        for name, names in groups.items()
        if len(names) > 1 and name in by_name
    }


def outside(first: Entry, other: Entry) -> list[str]:
    """Metrics of `other` outside the intervals that are stated for `first`."""
    return [
        metric
        for metric, (low, high) in first.intervals.items()
        if not low <= other.metrics[metric] <= high
    ]


def in_words(found: Stability) -> Iterator[str]:
    """A sentence a configuration."""
    for name, others in found.items():
        wrong = [f"{other}: {', '.join(metrics)}" for other, metrics in others.items() if metrics]
        if wrong:
            yield f"{name}: outside the interval of the first seed: {'; '.join(wrong)}."
        elif others:
            count = len(others)
            what = "another seed stays" if count == 1 else f"{count} other seeds stay"
            yield f"{name}: {what} inside the 95 % interval in every metric."


def _seeded(config: Config, by: int) -> Config:
    train = config.train.model_copy(update={"seed": config.train.seed + by})
    return config.model_copy(update={"train": train})


# The table of `reelflow compare`: for the screen, as Markdown and as JSON.


LEGEND: Final = (
    "± is half of the 95 % interval over users (bootstrap). Bold: the best, and what the test rows "
    "cannot tell from it (paired bootstrap). unseen: movies rated in train are left out; raw: they "
    "compete. With one movie to find, top-k accuracy is Recall@k."
)


@dataclass(frozen=True)
class Row:
    """A metric in the table."""

    label: str
    key: str
    best: int
    """1: more is better; -1: less is better; 0: neither."""


def _ranking(protocol: str) -> list[Row]:
    names = {f"top_{k}": f"top-{k}" for k in (1, 5, 10, 50, 100)}
    names |= {"ndcg_10": "NDCG@10", "mrr": "MRR"}
    return [Row(f"{label}, {protocol}", f"{protocol}/{key}", 1) for key, label in names.items()]


ROWS: Final = (
    *_ranking("unseen"),
    *_ranking("raw"),
    Row("coverage@10", "coverage_10", 0),
    Row("novelty@10, bits", "novelty_10", 0),
    Row("RMSE", "rmse", -1),
    Row("MAE", "mae", -1),
    Row("like accuracy", "like_accuracy", 1),
)
SECTION_ENDS: Final = ("unseen/mrr", "raw/mrr", "novelty_10", "like_accuracy")


@dataclass(frozen=True)
class Cell:
    """A figure, and whether nobody is better."""

    text: str
    bold: bool = False


def cells(entries: Sequence[Entry]) -> dict[str, list[Cell]]:
    """Label to one cell an entry."""
    lines = {row.label: _cells(row, entries) for row in ROWS}
    seconds = [entry.fit_seconds for entry in entries]
    lines["fit, seconds"] = [Cell("–" if s is None else f"{s:.1f}") for s in seconds]
    parameters = [entry.parameters for entry in entries]
    lines["parameters"] = [Cell("–" if p is None else f"{p:,}") for p in parameters]
    return lines


def _cells(row: Row, entries: Sequence[Entry]) -> list[Cell]:
    from reelflow.evaluation.contest import as_good

    best = max(entries, key=lambda entry: row.best * entry.metrics[row.key])
    found = []
    for entry in entries:
        text = f"{entry.metrics[row.key]:.4f}"
        if row.key in entry.intervals:
            low, high = entry.intervals[row.key]
            text += f" ±{(high - low) / 2:.3f}".replace("±0.", "±.")
        found.append(Cell(text, bool(row.best) and as_good(entry, best, row.key)))
    return found


def on_screen(entries: Sequence[Entry]) -> Table:
    """Metrics down, contestants across."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("Metric", no_wrap=True)
    for entry in entries:
        table.add_column(entry.name, justify="right", overflow="fold")
    ends = {row.label for row in ROWS if row.key in SECTION_ENDS}
    for label, line in cells(entries).items():
        texts = [Text(cell.text, style="bold" if cell.bold else "") for cell in line]
        table.add_row(label, *texts, end_section=label in ends)
    return table


def as_markdown(entries: Sequence[Entry], about: Mapping[str, Any]) -> str:
    """A page with what was compared, the table and how to read it."""
    names = " | ".join(entry.name for entry in entries)
    lines = [
        "# Comparison",
        "",
        f"{about['rows']:,} test ratings of {about['users_tested']:,} users; "
        f"{about['train_rows']:,} train ratings, {about['users']:,} users, "
        f"{about['movies']:,} movies; split {about['split']['kind']}, "
        f"seed {about['split']['seed']}.",
        "",
        f"| metric | {names} |",
        f"|---|{'---:|' * len(entries)}",
    ]
    for label, line in cells(entries).items():
        figures = [f"**{cell.text}**" if cell.bold else cell.text for cell in line]
        lines.append(f"| {label} | {' | '.join(figures)} |")
    lines += ["", LEGEND]
    for words in about.get("seeds", ()):
        lines += ["", words]
    for name, reason in about.get("failures", {}).items():
        lines += ["", f"{name} failed: {reason}"]
    return "\n".join([*lines, ""])


def as_json(entries: Sequence[Entry], about: Mapping[str, Any]) -> dict[str, Any]:
    """Everything, in full precision."""
    return {
        **about,
        "entries": [
            {
                "name": entry.name,
                "metrics": entry.metrics,
                "intervals": entry.intervals,
                "fit_seconds": entry.fit_seconds,
                "parameters": entry.parameters,
            }
            for entry in entries
        ],
    }
