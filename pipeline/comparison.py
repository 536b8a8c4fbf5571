"""Holds configurations and baselines against each other on one split.

Imports TFX: let nothing that must start quickly import this module.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from tfx.types import artifact_utils, standard_artifacts

from components.evaluator.contest import LIST_LENGTH, Entry, measure
from components.evaluator.executor import read_test_rows
from components.evaluator.predict import TestRows, ask_baseline, ask_model
from components.evaluator.recommend import lists_of_baseline, lists_of_model
from components.trainer import features as f
from components.trainer.baselines import BASELINES
from components.trainer.export import read_about
from components.transform.encoded import EncodedData
from components.transform.refit import learned_from
from pipeline import launcher
from pipeline.config import Config
from pipeline.definition import create_pipeline
from pipeline.launcher import NodeFinished, NodeStarted, State
from pipeline.layout import Layout
from pipeline.lineage import PipelineRun, read_run
from ratings.errors import BadInput

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
        """Runs everything; afterwards `entries`, `failures`, `data` and `rows` are there.

        Raises:
            BadInput: the test split is empty.
            ReelflowError: a data step refused its input.
            Exception: any other failure of a data step, after its `NodeFinished`.
        """
        yield from launcher.run(self._ir, ENCODER)
        run = read_run(self._layout.metadata, self._run_id)
        encoded = EncodedData.load(run.output(ENCODER, "encoded").uri)
        self.data = learned_from(encoded, self._base.train.model_dump())
        self.rows = self._test_rows(run)
        for name in self._baselines:
            yield from self._contestant(name, self._baseline)
        for name in self._configs:
            yield from self._contestant(name, self._model)

    def _contestant(self, name: str, measured: Callable[[str], tuple[Entry, State]]) -> Events:
        """Measures one; who fails is noted in `failures`, and the others go on."""
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
            ask_baseline(baseline, self.rows, self.data),
            lists_of_baseline(baseline, users, self.data, LIST_LENGTH),
            self.rows.encoded,
            self.data,
            seed=self._base.split.seed,
            fit_seconds=seconds,
            parameters=baseline.parameters,
            liked_from=self._base.model.like_threshold,
        )
        return entry, "done"

    def _model(self, name: str) -> tuple[Entry, State]:
        """Trains a configuration, or takes it from the cache, and measures it."""
        run_id = f"{self._run_id}-{name}"
        state: State = "failed"
        for event in launcher.run(self._compile(self._configs[name], run_id), TRAINER):
            if isinstance(event, NodeFinished):
                state = event.state
        trained = read_run(self._layout.metadata, run_id).output(TRAINER, "model")
        model = trained.uri / "Format-Serving"
        about = read_about(model)
        # The same users as the baselines', by the ids that models know.
        _, first = np.unique(self.rows.encoded.user_index, return_index=True)
        entry = measure(
            name,
            ask_model(model, self.rows, len(self.data.catalogue)),
            lists_of_model(model, self.rows.user_id[first], self.data, LIST_LENGTH),
            self.rows.encoded,
            self.data,
            seed=self._base.split.seed,
            fit_seconds=about.get("fit_seconds"),
            parameters=about.get("parameters"),
            liked_from=self._base.model.like_threshold,
        )
        return entry, state
