"""The executor of RatingsExampleGen: moves artifacts; the work is in the modules beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import pyarrow as pa
from absl import logging
from tfx import types
from tfx.components.example_gen import driver, utils
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.components.example_gen.utils import (
    FINGERPRINT_PROPERTY_NAME,
    make_default_input_config,
    make_default_output_config,
)
from tfx.components.util import examples_utils
from tfx.dsl.components.base import executor_spec
from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.io import fileio
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts, standard_component_specs
from tfx.types import standard_component_specs as specs
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.types.standard_component_specs import FileBasedExampleGenSpec
from tfx.utils import proto_utils

from components.artifacts import Quarantine
from reelflow.base import columns
from reelflow.base.errors import BadInput
from reelflow.base.notices import send_notice
from reelflow.config import DataConfig, SplitConfig
from reelflow.data import files, schema
from reelflow.data.formats.source import Source, open_source, open_window
from reelflow.data.ingest import shards
from reelflow.data.ingest import tally as tallies
from reelflow.data.ingest.catalogue import missing_features, movies_from_ids, movies_split
from reelflow.data.ingest.conversion import Job, build_graph, gather_tallies
from reelflow.data.ingest.results import QUARANTINE_FILE
from reelflow.data.ingest.split import plan_split
from reelflow.data.parse import Rules
from reelflow.data.reading import plan_chunks
from reelflow.data.spans import Window, find_window, is_pattern

DATA_KEY = "data"
SPLIT_KEY = "split"
SPANS_KEY = "spans"
CATALOGUE_KEY = "catalogue"
QUARANTINE_KEY = "quarantine"


class Executor(BaseBeamExecutor):
    """Ratings files to `examples`, `catalogue` and `quarantine`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Convert the data folder that the driver found.

        Args:
            input_dict: empty.
            output_dict: `examples`, `catalogue` and `quarantine`, one artifact each.
            exec_properties: `input_base` and `input_config`, or `spans`, as the driver resolved
                them; `data` and `split`, the sections of the configuration as JSON.

        Raises:
            BadInput: the data cannot be used; says why and what to do.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        data = DataConfig.model_validate_json(exec_properties[DATA_KEY])
        split = SplitConfig.model_validate_json(exec_properties[SPLIT_KEY])
        examples = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.EXAMPLES_KEY]
        )
        catalogue = artifact_utils.get_single_instance(output_dict[CATALOGUE_KEY])
        quarantine = artifact_utils.get_single_instance(output_dict[QUARANTINE_KEY])

        resolved = exec_properties.get(SPANS_KEY)
        window = Window.from_json(resolved) if resolved else None
        if window is None:
            source = open_source(data, data_folder(exec_properties), split)
        else:
            source = open_window(data, window, split)
        movies = source.read_movies()
        job = Job(
            source=source,
            rules=Rules.of(source, movies),
            plan=plan_split(split, source),
            attributes=user_attributes(source, data),
            with_features=bool(data.movie_features),
            partitions=data.partitions,
            chunk_bytes=data.chunk_bytes,
            folder=self._get_tmp_dir().rstrip("/"),
            examples_uri=examples.uri,
            catalogue_uri=catalogue.uri,
        )
        chunks = plan_chunks(source.ratings_files, data.chunk_bytes)
        with self._make_beam_pipeline() as pipeline:
            build_graph(pipeline, job, chunks)

        tally = gather_tallies(job)
        if tally.problem:
            raise BadInput(*tally.problem)
        movies = movies_from_ids(tally.movie_ids) if movies is None else movies
        if window is not None:
            _check_unchanged(source, exec_properties[FINGERPRINT_PROPERTY_NAME])
        missing = missing_features(data, movies, job.attributes)
        summary = tallies.summarize(source, tally, movies, window, missing)
        # TFX removes the outputs of a failed execution, so that evidence goes beside them.
        refused = not summary.rows.kept
        uri = f"{quarantine.uri.rstrip('/')}-refused" if refused else quarantine.uri
        tallies.write_summary(uri, summary, source, tally)
        tallies.check_rows(summary, split, f"{uri}/{QUARANTINE_FILE}")
        shards.write_shard(
            movies_split(movies, job.attributes is not None, job.with_features),
            shards.shard_path(catalogue.uri, columns.MOVIES, "movies", 0, 1),
            job.folder,
        )
        fileio.rmtree(job.folder)

        _describe(examples, columns.RATING_SPLITS)
        examples.set_int_custom_property("rows", summary.rows.kept)
        if window is not None:
            examples.set_string_custom_property("span_name", window.newest.name)
        _describe(catalogue, columns.CATALOGUE_SPLITS)
        quarantine.rows = tally.rejected.num_rows


def _check_unchanged(source: Source, fingerprint: str) -> None:
    """Refuse a span that was still being written.

    Raises:
        BadInput: a file is not what it was when the driver chose the span.
    """
    if files.fingerprint(source.paths) != fingerprint:
        raise BadInput(
            f"Files of {source.folder} or of a span before it changed while they were read.",
            "Run again when they have arrived; see data.span_marker to be sure of that.",
        )


def user_attributes(source: Source, data: DataConfig) -> pa.Table | None:
    """User attributes, empty without a users' file; None unless the configuration opts in."""
    if not data.use_users:
        return None
    found = source.read_users()
    return schema.USERS.empty_table() if found is None else found


def _describe(examples: types.Artifact, splits: tuple[str, ...]) -> None:
    examples.split_names = artifact_utils.encode_split_names(list(splits))
    examples_utils.set_payload_format(examples, example_gen_pb2.PayloadFormat.FORMAT_PARQUET)
    examples_utils.set_file_format(examples, "FILE_FORMAT_PARQUET")


def data_folder(exec_properties: dict[str, Any]) -> str:
    """The folder of the span that the driver chose."""
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.INPUT_CONFIG_KEY], config)
    below = config.splits[0].pattern.rpartition("/")[0]
    base: str = exec_properties[standard_component_specs.INPUT_BASE_KEY]
    return files.join(base, below) if below else base


# The driver of RatingsExampleGen: which spans are read, and whether their files have changed.


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
    the cache. The fingerprint is of all files that will be read, the movies' file above the spans
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
        send_notice(str(window))
        exec_properties[SPANS_KEY] = window.to_json()
        exec_properties[utils.SPAN_PROPERTY_NAME] = window.newest.number
        exec_properties[utils.VERSION_PROPERTY_NAME] = None
        exec_properties[utils.FINGERPRINT_PROPERTY_NAME] = files.fingerprint(source.paths)
        return exec_properties


# RatingsExampleGen: ratings files to leak-free splits, a catalogue and a quarantine.


CODE_KEY = "code"

_NOT_USED = {"path", "span", "spans", "span_marker"}
_NOT_USED |= {"max_quarantined", "max_drift", "statistics_rows"}


class RatingsExampleGenSpec(FileBasedExampleGenSpec):
    """FileBasedExampleGen with the configuration, and two outputs more."""

    PARAMETERS: ClassVar = {
        **FileBasedExampleGenSpec.PARAMETERS,
        DATA_KEY: ExecutionParameter(type=str),
        SPLIT_KEY: ExecutionParameter(type=str),
        SPANS_KEY: ExecutionParameter(type=str),
        CODE_KEY: ExecutionParameter(type=str),
    }
    OUTPUTS: ClassVar = {
        **FileBasedExampleGenSpec.OUTPUTS,
        CATALOGUE_KEY: ChannelParameter(type=standard_artifacts.Examples),
        QUARANTINE_KEY: ChannelParameter(type=Quarantine),
    }


class RatingsExampleGen(FileBasedExampleGen):
    """Reads a data folder of any format that `reelflow.data.formats.recognise` knows.

    Its driver finds spans and fingerprints the files, so that a run on unchanged files with an
    unchanged configuration is taken from the cache.

    Outputs, as docs/architecture.md has them:
        examples: splits train, validation and test.
        catalogue: splits movies and users.
        quarantine: counts and refused rows.
    """

    SPEC_CLASS = RatingsExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self, data: DataConfig, split: SplitConfig, input_base: str, code: str = ""
    ) -> None:
        """Set up the component.

        Args:
            data: how to read the files.
            split: how to split the ratings.
            input_base: the data folder; its placeholders stand for the spans that `data` wants.
            code: version of the code; a new one takes nothing from the cache.
        """
        base, pattern = split_pattern(input_base)
        input_config = make_default_input_config(pattern)
        spec = RatingsExampleGenSpec(
            input_base=base,
            input_config=input_config,
            output_config=make_default_output_config(input_config),
            output_data_format=example_gen_pb2.PayloadFormat.FORMAT_PARQUET,
            output_file_format=example_gen_pb2.FileFormat.FILE_FORMAT_PARQUET,
            # What the rows do not depend on is left out, so that changing it keeps the cache.
            data=data.model_dump_json(exclude=_NOT_USED),
            split=split.model_dump_json(),
            spans=Request.of(data).to_json() if is_pattern(input_base) else "",
            code=code,
            examples=types.Channel(type=standard_artifacts.Examples),
            catalogue=types.Channel(type=standard_artifacts.Examples),
            quarantine=types.Channel(type=Quarantine),
        )
        # FileBasedExampleGen's own constructor would make its own specification.
        BaseBeamComponent.__init__(self, spec=spec)


def split_pattern(folder: str) -> tuple[str, str]:
    """A folder to the part before the first placeholder and the pattern of the files below it."""
    if not is_pattern(folder):
        return folder, "*"
    before = folder[: folder.index("{")]
    base, slash, _ = before.rpartition("/")
    return base or slash or ".", f"{folder[len(base) + len(slash) :].rstrip('/')}/*"
