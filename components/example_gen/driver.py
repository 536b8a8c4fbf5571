"""The driver of RatingsExampleGen: which spans are read, and whether their files have changed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from absl import logging
from tfx.components.example_gen import driver, utils
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2
from tfx.types import standard_component_specs as specs
from tfx.utils import proto_utils

from components.example_gen.executor import DATA_KEY, SPANS_KEY, SPLIT_KEY
from components.notices import tell
from pipeline.config import DataConfig, SplitConfig
from ratings import files
from ratings.formats import open_window
from ratings.spans import find_window


@dataclass(frozen=True)
class Request:
    """Which spans are asked for; the driver puts those that are found in its place."""

    span: str | None
    count: int | Literal["all"]
    marker: str | None

    @classmethod
    def of(cls, data: DataConfig) -> Request:
        """As the configuration has it."""
        return cls(data.span, data.spans, data.span_marker)

    def to_json(self) -> str:
        """For the parameter `spans`."""
        return json.dumps(asdict(self))


class Driver(driver.FileBasedDriver):
    """TFX's driver, which knows one newest span, for a window of spans.

    The parameter `spans` becomes the window, so that "the latest span" and its name are the same to
    the cache. The fingerprint is of all files that will be read, the films' file above the spans
    included.
    """

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """The parameters with what the data path stands for today.

        Raises:
            BadInput: there is no such span, or it cannot be read.
        """
        if not exec_properties.get(SPANS_KEY):
            resolved: dict[str, Any] = super().resolve_exec_properties(
                exec_properties, pipeline_info, component_info
            )
            return resolved
        config = example_gen_pb2.Input()
        proto_utils.json_to_proto(exec_properties[specs.INPUT_CONFIG_KEY], config)
        below = config.splits[0].pattern.rpartition("/")[0]
        request = json.loads(exec_properties[SPANS_KEY])
        window = find_window(files.join(exec_properties[specs.INPUT_BASE_KEY], below), **request)
        source = open_window(
            DataConfig.model_validate_json(exec_properties[DATA_KEY]),
            window,
            SplitConfig.model_validate_json(exec_properties[SPLIT_KEY]),
        )
        logging.info("Reading %s: %s.", window, ", ".join(window.names))
        tell(str(window))
        exec_properties[SPANS_KEY] = window.to_json()
        exec_properties[utils.SPAN_PROPERTY_NAME] = window.newest.number
        exec_properties[utils.VERSION_PROPERTY_NAME] = None
        exec_properties[utils.FINGERPRINT_PROPERTY_NAME] = files.fingerprint(source.paths)
        return exec_properties
