"""DataGate: no training on data that ExampleValidator or the quarantine speaks against."""

from __future__ import annotations

from typing import Any, ClassVar

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.artifacts import DataBlessing, Drift, Quarantine
from components.data_gate import executor


class DataGateSpec(ComponentSpec):
    """What goes in and out."""

    PARAMETERS: ClassVar = {
        executor.MAX_QUARANTINED: ExecutionParameter(type=float),
        executor.MAX_DRIFT: ExecutionParameter(type=float, optional=True),
    }
    INPUTS: ClassVar = {
        executor.RATINGS_ANOMALIES: ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        executor.MOVIES_ANOMALIES: ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        executor.QUARANTINE: ChannelParameter(type=Quarantine),
        executor.DRIFT: ChannelParameter(type=Drift, optional=True),
    }
    OUTPUTS: ClassVar = {executor.BLESSING: ChannelParameter(type=DataBlessing)}


class DataGate(base_component.BaseComponent):
    """Stops the run, with reasons in words, when the data should not be learned from.

    Later nodes depend on it by `node.add_upstream_node(data_gate)`. The output `blessing` holds
    `blessing.json`: the rows by split, the damaged rows by reason, and any warnings.
    """

    SPEC_CLASS = DataGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        ratings_anomalies: channel.BaseChannel,
        movies_anomalies: channel.BaseChannel,
        quarantine: channel.BaseChannel,
        max_quarantined: float,
        drift: channel.BaseChannel | None = None,
        max_drift: float | None = None,
    ) -> None:
        """Describe the node.

        Args:
            ratings_anomalies: ExampleAnomalies of the `examples` artifact.
            movies_anomalies: ExampleAnomalies of the `catalogue` artifact.
            quarantine: ExampleGen's Quarantine.
            max_quarantined: share of the rows that may be quarantined, 0 to 1.
            drift: SpanDrift's, if the data have spans.
            max_drift: largest drift of a column that may pass, 0 to 1; none: any.
        """
        inputs: dict[str, Any] = {
            executor.RATINGS_ANOMALIES: ratings_anomalies,
            executor.MOVIES_ANOMALIES: movies_anomalies,
            executor.QUARANTINE: quarantine,
            executor.MAX_QUARANTINED: float(max_quarantined),
            executor.BLESSING: channel.Channel(type=DataBlessing),
        }
        if drift is not None:
            inputs[executor.DRIFT] = drift
        if max_drift is not None:
            inputs[executor.MAX_DRIFT] = float(max_drift)
        super().__init__(spec=DataGateSpec(**inputs))
