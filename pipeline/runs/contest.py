"""The measurement of `reelflow compare`: configurations and baselines on one split. Imports TFX."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from tfx.proto.orchestration import pipeline_pb2
from tfx.types import artifact_utils, standard_artifacts

from components.evaluator import read_test_rows
from pipeline import ENCODER, EXAMPLE_GEN, TRAINER
from pipeline.definition import create_pipeline
from pipeline.runs import launcher
from pipeline.runs.comparison import (
    Comparison,
    setting_sentence,
    stability,
    stability_sentences,
)
from pipeline.runs.launcher import NodeFinished, NodeStarted, State
from pipeline.runs.lineage import read_run
from pipeline.runs.process import StepFailed, as_reelflow_error
from reelflow.base import columns as f
from reelflow.base.errors import BadInput
from reelflow.baselines import BASELINES
from reelflow.config import Config
from reelflow.config.layout import Layout
from reelflow.data.ingest.results import IngestSummary
from reelflow.encoding.encoded import EncodedData, Int32
from reelflow.evaluation.contest import LIST_LENGTH, Entry, measure
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


class Contest:
    """Configurations and baselines, measured on the test rows of one split.

    Data steps and training are nodes of the pipeline: they come from its cache, and a model that
    `reelflow run` has trained is not trained again. Models are asked through their exported
    signatures, as they would be served. Every entry sees the test rows once.

    Attributes:
        entries: the measurements, after `run`.
        failures: name to error of what could not be measured, after `run`.
        models: configuration to its trained SavedModel, after `run`.
        cpu_seconds: name to processor seconds of training, of those that tell, after `run`.
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
        self.cpu_seconds: dict[str, float] = {}
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
        self._choice = IngestSummary.read(run.output(EXAMPLE_GEN, "quarantine").uri).split
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
        return self._entry(order, predictions, np.zeros((0, LIST_LENGTH), np.int32))

    def comparison(self) -> Comparison:
        """Return the result of `run`."""
        errors = {name: as_reelflow_error(e, name) for name, e in self.failures.items()}
        seeds = {name: list(group) for name, group in self._groups.items()}
        return Comparison(
            split={
                **self._base.split.model_dump(mode="json"),
                **self._choice.model_dump(mode="json", include={"kind", "asked"}),
            },
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

    def _entry(
        self,
        name: str,
        predictions: Predictions,
        lists: Int32,
        fit_seconds: float | None = None,
        parameters: int | None = None,
        chosen: Chosen | None = None,
    ) -> Entry:
        """Compute the metrics of one entry on the test rows; see `measure`."""
        return measure(
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

    def _measured(self, name: str, ask: Callable[[str], Answers]) -> Events:
        """Measure one entry; a failure is kept in `failures`, and the others go on."""
        yield NodeStarted(name)
        began = time.monotonic()
        state: State = "failed"
        try:
            predictions, lists, fit_seconds, parameters, chosen, state = ask(name)
            entry = self._entry(name, predictions, lists, fit_seconds, parameters, chosen)
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
        began, began_cpu = time.monotonic(), time.process_time()
        baseline.fit(self._data)
        seconds = time.monotonic() - began
        self.cpu_seconds[name] = time.process_time() - began_cpu
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
        if info.fit_cpu_seconds is not None:
            self.cpu_seconds[name] = info.fit_cpu_seconds
        # The same users as the baselines', by the ids that models know.
        _, first = np.unique(self.rows.users, return_index=True)
        users = self.rows.user_id[first]
        predictions = model_predictions(signatures, self.rows, len(self._data.catalogue))
        lists = model_recommendations(signatures, users, self._data, LIST_LENGTH)
        return predictions, lists, info.fit_seconds, info.parameters, None, state
