"""Measurement of configurations and baselines on one split. Imports TFX."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from tfx.proto.orchestration import pipeline_pb2
from tfx.types import artifact_utils, standard_artifacts

from components.evaluator import read_test_rows
from pipeline import ENCODER, EXAMPLE_GEN, TRAINER
from pipeline.definition import create_pipeline
from pipeline.runs import launcher
from pipeline.runs.comparison import Comparison, stability, stability_sentences
from pipeline.runs.launcher import NodeFinished, NodeStarted, State
from pipeline.runs.lineage import PipelineRun, read_run
from pipeline.runs.process import StepFailed, as_reelflow_error
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

Events = Iterator[NodeStarted | NodeFinished]


class Contest:
    """Configurations and baselines, measured on the test rows of one split.

    Data steps and training are nodes of the pipeline: they come from its cache, and a model that
    `reelflow run` has trained is not trained again. Models are asked through their exported
    signatures, as they would be served. Every entry sees the test rows once.

    Attributes:
        entries: the measurements, after `run`.
        failures: name to error of what could not be measured, after `run`.
    """

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
        self._data = training_data(encoded, self._base.train.model_dump())
        self._rows = self._test_rows(run)
        for name in self._baselines:
            yield from self._measured(name, self._measure_baseline)
        for name in self._configs:
            yield from self._measured(name, self._measure_model)

    def comparison(self) -> Comparison:
        """Return the result of `run`."""
        errors = {name: as_reelflow_error(e, name) for name, e in self.failures.items()}
        seeds = {name: list(group) for name, group in self._groups.items()}
        return Comparison(
            split=self._base.split.model_dump(mode="json"),
            rows=len(self._rows),
            users_tested=len(set(self._rows.user_id.tolist())),
            train_rows=len(self._data.train),
            users=self._data.sizes.users,
            movies=len(self._data.catalogue),
            failures={
                name: error.reason if isinstance(error, StepFailed) else error.message
                for name, error in errors.items()
            },
            seeds=list(stability_sentences(stability(self.entries, seeds))),
            entries=self.entries,
        )

    def _measured(self, name: str, measure_one: Callable[[str], tuple[Entry, State]]) -> Events:
        """Measure one entry; a failure is kept in `failures`, and the others go on."""
        yield NodeStarted(name)
        began = time.monotonic()
        try:
            entry, state = measure_one(name)
        except Exception as failure:
            logging.exception("%s failed.", name)
            self.failures[name] = failure
            yield NodeFinished(name, "failed", time.monotonic() - began)
            return
        self.entries.append(entry)
        yield NodeFinished(name, state, time.monotonic() - began)

    def _compile(self, config: Config, run_id: str) -> pipeline_pb2.Pipeline:
        # The rest of the graph is not run: it measures nothing, and pushes.
        return launcher.compile_pipeline(create_pipeline(config, str(self._layout.output)), run_id)

    def _test_rows(self, run: PipelineRun) -> TestRows:
        examples = standard_artifacts.Examples()
        examples.uri = str(run.output(EXAMPLE_GEN, "examples").uri)
        examples.split_names = artifact_utils.encode_split_names(list(f.RATING_SPLITS))
        rows = read_test_rows(examples, self._data)
        if len(rows) == 0:
            raise BadInput("The test split is empty.", "Give split.test more ratings.")
        return rows.sample(self._base.gate.max_test_rows, self._base.split.seed)

    def _measure_baseline(self, name: str) -> tuple[Entry, State]:
        """Fit a baseline and measure it."""
        baseline = BASELINES[name]()
        began = time.monotonic()
        baseline.fit(self._data)
        seconds = time.monotonic() - began
        users = np.unique(self._rows.encoded.user_index)
        entry = measure(
            name,
            baseline_predictions(baseline, self._rows, self._data),
            baseline_recommendations(baseline, users, self._data, LIST_LENGTH),
            self._rows.encoded,
            self._data,
            seed=self._base.split.seed,
            fit_seconds=seconds,
            parameters=baseline.parameters,
            liked_from=self._base.model.like_threshold,
        )
        return entry, "done"

    def _measure_model(self, name: str) -> tuple[Entry, State]:
        """Train a configuration, or take its model from the cache, and measure it."""
        run_id = f"{self._run_id}-{name}"
        state: State = "failed"
        for event in launcher.run(self._compile(self._configs[name], run_id), TRAINER):
            if isinstance(event, NodeFinished):
                state = event.state
        model = read_run(self._layout.metadata, run_id).output(TRAINER, "model").saved_model
        info, signatures = ModelInfo.read(model), Signatures.load(model)
        # The same users as the baselines', by the ids that models know.
        _, first = np.unique(self._rows.encoded.user_index, return_index=True)
        entry = measure(
            name,
            model_predictions(signatures, self._rows, len(self._data.catalogue)),
            model_recommendations(signatures, self._rows.user_id[first], self._data, LIST_LENGTH),
            self._rows.encoded,
            self._data,
            seed=self._base.split.seed,
            fit_seconds=info.fit_seconds,
            parameters=info.parameters,
            liked_from=self._base.model.like_threshold,
        )
        return entry, state
