"""RatingsExampleGen: ratings files to leak-free splits, a catalogue and a quarantine."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Final

from absl import logging
from tfx.components.example_gen import utils
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.components.example_gen.driver import FileBasedDriver
from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.types import standard_component_specs as specs
from tfx.types.artifact import Artifact
from tfx.types.channel import Channel
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.utils import proto_utils

from components.artifacts import Quarantine
from reelflow.base import columns
from reelflow.base.common import send_notice
from reelflow.config import DataConfig, SplitConfig
from reelflow.data import files
from reelflow.data.formats.source import open_source, open_window
from reelflow.data.ingest.ingestion import ingest
from reelflow.data.ingest.steps import Folders
from reelflow.data.spans import Window, find_window, is_pattern
from reelflow.data.understood import reading_sentences
from reelflow.data.words import data_sentences

DATA: Final = "data"
SPLIT: Final = "split"
SPANS: Final = "spans"
CODE: Final = "code"
CATALOGUE: Final = "catalogue"
QUARANTINE: Final = "quarantine"

# The rows do not depend on these options of `[data]`: changing them keeps the cache.
_NOT_USED: Final = {
    "path",
    "span",
    "spans",
    "span_marker",
    "statistics_rows",
}


class Executor(BaseBeamExecutor):
    """Ratings files to `examples`, `catalogue` and `quarantine`."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Convert the data folder, or the spans, that the driver chose.

        Args:
            input_dict: empty.
            output_dict: `examples`, `catalogue` and `quarantine`, one artifact each.
            exec_properties: `input_base` and `input_config`, or `spans`, as the driver resolved
                them; `data` and `split`, the sections of the configuration as JSON.

        Raises:
            BadInput: the data cannot be used; says why and what to do.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        data, split = _sections(exec_properties)
        [examples], [catalogue], [quarantine] = (
            output_dict[key] for key in (specs.EXAMPLES_KEY, CATALOGUE, QUARANTINE)
        )
        spans = exec_properties.get(SPANS)
        window = Window.from_json(spans) if spans else None
        if window is None:
            source = open_source(data, _data_folder(exec_properties), split)
        else:
            source = open_window(data, window, split)
        for sentence in reading_sentences(source):
            logging.info(sentence)
            send_notice(sentence)
        summary = ingest(
            source,
            data,
            split,
            Folders(
                examples=examples.uri,
                catalogue=catalogue.uri,
                quarantine=quarantine.uri.rstrip("/"),
                scratch=self._get_tmp_dir().rstrip("/"),
            ),
            self._make_beam_pipeline(),
            window,
            exec_properties[utils.FINGERPRINT_PROPERTY_NAME] if window else None,
        )
        for sentence in data_sentences(summary):
            logging.info(sentence)
            send_notice(sentence)
        _describe(examples, columns.RATING_SPLITS)
        examples.set_int_custom_property("rows", summary.rows.kept)
        if window is not None:
            examples.set_string_custom_property("span_name", window.newest.name)
        _describe(catalogue, columns.CATALOGUE_SPLITS)
        quarantine.rows = summary.refused


def _sections(exec_properties: dict[str, Any]) -> tuple[DataConfig, SplitConfig]:
    """Return the sections `data` and `split` of the configuration."""
    return (
        DataConfig.model_validate_json(exec_properties[DATA]),
        SplitConfig.model_validate_json(exec_properties[SPLIT]),
    )


def _data_folder(exec_properties: dict[str, Any]) -> str:
    """Return the data folder: the input base, and what its pattern has above the files."""
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(exec_properties[specs.INPUT_CONFIG_KEY], config)
    below = config.splits[0].pattern.rpartition("/")[0]
    base: str = exec_properties[specs.INPUT_BASE_KEY]
    return files.join(base, below) if below else base


def _describe(examples: Artifact, splits: tuple[str, ...]) -> None:
    examples.split_names = artifact_utils.encode_split_names(list(splits))
    examples_utils.set_payload_format(examples, example_gen_pb2.PayloadFormat.FORMAT_PARQUET)
    examples_utils.set_file_format(examples, "FILE_FORMAT_PARQUET")


class Driver(FileBasedDriver):
    """TFX's driver, which knows one newest span, extended to a window of spans.

    The window replaces the request in the parameter `spans`, so that "the latest span" and its name
    are the same to the cache. The fingerprint is of all files that will be read, the movies' file
    above the spans included.
    """

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """Return the parameters with what the data path stands for today.

        Raises:
            BadInput: there is no such span, or it cannot be read.
        """
        if not exec_properties.get(SPANS):
            resolved: dict[str, Any] = super().resolve_exec_properties(
                exec_properties, pipeline_info, component_info
            )
            return resolved
        data, split = _sections(exec_properties)
        request = json.loads(exec_properties[SPANS])
        window = find_window(_data_folder(exec_properties), **request)
        source = open_window(data, window, split)
        logging.info("Reading %s: %s.", window, ", ".join(window.names))
        send_notice(str(window))
        exec_properties[SPANS] = window.to_json()
        exec_properties[utils.SPAN_PROPERTY_NAME] = window.newest.number
        exec_properties[utils.VERSION_PROPERTY_NAME] = None
        exec_properties[utils.FINGERPRINT_PROPERTY_NAME] = files.fingerprint(source.paths)
        return exec_properties


class RatingsExampleGenSpec(specs.FileBasedExampleGenSpec):
    """FileBasedExampleGen's with the configuration, and two outputs more."""

    PARAMETERS: ClassVar = {
        **specs.FileBasedExampleGenSpec.PARAMETERS,
        DATA: ExecutionParameter(type=str),
        SPLIT: ExecutionParameter(type=str),
        SPANS: ExecutionParameter(type=str),
        CODE: ExecutionParameter(type=str),
    }
    OUTPUTS: ClassVar = {
        **specs.FileBasedExampleGenSpec.OUTPUTS,
        CATALOGUE: ChannelParameter(type=standard_artifacts.Examples),
        QUARANTINE: ChannelParameter(type=Quarantine),
    }


class RatingsExampleGen(FileBasedExampleGen):
    """Reads a data folder of any format that `reelflow.data.formats` knows.

    Its driver finds spans and fingerprints the files, so that a run on unchanged files with an
    unchanged configuration is taken from the cache.

    Outputs, as docs/architecture.md has them:
        examples: splits train, validation and test.
        catalogue: splits movies and users.
        quarantine: counts and refused rows.
    """

    SPEC_CLASS = RatingsExampleGenSpec
    EXECUTOR_SPEC = BeamExecutorSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self, data: DataConfig, split: SplitConfig, input_base: str, code: str = ""
    ) -> None:
        """Set up the component.

        Args:
            data: how to read the files.
            split: how to split the ratings.
            input_base: the data folder; its placeholders stand for the spans that `data` names.
            code: version of the code; a new one takes nothing from the cache.
        """
        base, pattern = split_pattern(input_base)
        input_config = utils.make_default_input_config(pattern)
        request = {"span": data.span, "count": data.spans, "marker": data.span_marker}
        spec = RatingsExampleGenSpec(
            input_base=base,
            input_config=input_config,
            output_config=utils.make_default_output_config(input_config),
            output_data_format=example_gen_pb2.PayloadFormat.FORMAT_PARQUET,
            output_file_format=example_gen_pb2.FileFormat.FILE_FORMAT_PARQUET,
            data=data.model_dump_json(exclude=_NOT_USED),
            split=split.model_dump_json(),
            spans=json.dumps(request) if is_pattern(input_base) else "",
            code=code,
            examples=Channel(type=standard_artifacts.Examples),
            catalogue=Channel(type=standard_artifacts.Examples),
            quarantine=Channel(type=Quarantine),
        )
        # FileBasedExampleGen's own constructor would make its own specification.
        BaseBeamComponent.__init__(self, spec=spec)


def split_pattern(folder: str) -> tuple[str, str]:
    """Return the part before the first placeholder, and the pattern of the files below it."""
    if not is_pattern(folder):
        return folder, "*"
    before = folder[: folder.index("{")]
    base, slash, _ = before.rpartition("/")
    return base or slash or ".", f"{folder[len(base) + len(slash) :].rstrip('/')}/*"
