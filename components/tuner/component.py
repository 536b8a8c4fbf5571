"""Tuner: TFX's own component with an executor that keeps all trials."""

from __future__ import annotations

from tfx.components.tuner import component
from tfx.dsl.components.base import executor_spec

from components.tuner import executor


class Tuner(component.Tuner):
    """Trains models with other hyperparameters and hands on the best ones.

    Outputs: `best_hyperparameters` (KerasTuner's, for the Trainer) and `tuner_results` (TFX's own
    file, `trials.json` and `parallel_coordinates.html`).
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
