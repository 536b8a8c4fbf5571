"""The worker that engines start: it is told what to do by them, and can do a component's work."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest
from apache_beam.portability.api import (
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
    endpoints_pb2,
)
from apache_beam.runners.portability.local_job_service import LocalJobServicer
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer
from google.protobuf import json_format, text_format

from pipeline.beam_args import WORKER, beam_args
from pipeline.beam_worker import provisioned
from reelflow.config import BeamConfig, DataConfig
from tests.components.test_example_gen import write_csv
from tests.reelflow.data.ingest.runs import execute

Info = beam_provision_api_pb2.ProvisionInfo


class _Provision(beam_provision_api_pb2_grpc.ProvisionServiceServicer):
    """Answers as an engine does, and keeps who has asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def GetProvisionInfo(
        self, request: object, context: grpc.ServicerContext
    ) -> beam_provision_api_pb2.GetProvisionInfoResponse:
        self.asked.append(dict(context.invocation_metadata())["worker_id"])
        info = Info(runner_capabilities=["one", "two"])
        info.control_endpoint.url, info.logging_endpoint.url = "host:1", "host:2"
        json_format.ParseDict({"beam:option:temp_location:v1": "/tmp/x"}, info.pipeline_options)
        return beam_provision_api_pb2.GetProvisionInfoResponse(info=info)


def test_it_asks_the_engine_in_its_own_name() -> None:
    service = _Provision()
    server = grpc.server(futures.ThreadPoolExecutor(1))
    beam_provision_api_pb2_grpc.add_ProvisionServiceServicer_to_server(service, server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        variables = provisioned("worker-7", f"localhost:{port}")
    finally:
        server.stop(0)
    assert service.asked == [variables["WORKER_ID"]] == ["worker-7"]
    assert json.loads(variables["PIPELINE_OPTIONS"]) == {"beam:option:temp_location:v1": "/tmp/x"}
    assert variables["RUNNER_CAPABILITIES"].split() == ["one", "two"]
    control = endpoints_pb2.ApiServiceDescriptor()
    text_format.Merge(variables["CONTROL_API_SERVICE_DESCRIPTOR"], control)
    assert control.url == "host:1"
    assert "STATUS_API_SERVICE_DESCRIPTOR" not in variables


@pytest.fixture
def engine() -> Iterator[BeamConfig]:
    """Beam's own job service, whose workers are processes from our program."""
    program = Path(sys.executable).with_name(WORKER)
    pool, pool_server = BeamFnExternalWorkerPoolServicer.start(
        use_process=True, container_executable=str(program)
    )
    jobs = LocalJobServicer()
    port = jobs.start_grpc_server()
    yield BeamConfig(preset="flink", job_endpoint=f"localhost:{port}", worker_pool=pool)
    jobs.stop()
    pool_server.stop(0)


@pytest.mark.slow
def test_example_gen_makes_the_same_in_another_process(tmp_path: Path, engine: BeamConfig) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    write_csv(folder)
    data = DataConfig(partitions=3, chunk_bytes=20_000)
    for name, args in (("here", []), ("there", beam_args(engine))):
        execute(tmp_path / name, folder, data, beam_args=args)
    files = {
        name: {
            str(path.relative_to(tmp_path / name)): path.read_bytes()
            for path in sorted((tmp_path / name).rglob("*"))
            if path.is_file()
        }
        for name in ("here", "there")
    }
    assert sum("Split-" in path for path in files["here"]) == 3 * 4 + 1
    assert files["here"] == files["there"]
