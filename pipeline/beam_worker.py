"""`reelflow-beam-worker`: the program that Flink and Spark start on a worker for `beam.preset`.

It does what Beam's own container entry point does (Beam's "container contract"), for machines
where Reelflow is installed and there are no containers: ask the engine for the pipeline's options
and addresses, then become Beam's Python worker. Nothing is downloaded or installed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from reelflow.base.environment import prepare_program


def main(argv: Sequence[str] | None = None) -> None:
    """Run a worker until the engine lets it go.

    Raises:
        grpc.RpcError: the engine that started it is gone.
    """
    options = _options(sys.argv[1:] if argv is None else argv)
    prepare_program()
    os.environ.update(provisioned(options.id, options.provision_endpoint))
    from apache_beam.runners.worker import sdk_worker_main

    # A worker whose engine was killed has nothing to stop it but the end of its connection.
    sdk_worker_main.main([])


def provisioned(worker_id: str, endpoint: str) -> dict[str, str]:
    """Return the variables that Beam's Python worker reads, from the engine's provision service.

    Args:
        worker_id: under which the engine expects the worker to report.
        endpoint: of the provision service, `host:port`.

    Raises:
        grpc.RpcError: nothing answers there.
    """
    import grpc
    from apache_beam.portability.api import (
        beam_provision_api_pb2,
        beam_provision_api_pb2_grpc,
        endpoints_pb2,
    )
    from google.protobuf import json_format, text_format

    with grpc.insecure_channel(endpoint) as channel:
        service = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        info = service.GetProvisionInfo(
            beam_provision_api_pb2.GetProvisionInfoRequest(),
            metadata=[("worker_id", worker_id)],
            timeout=60,
            wait_for_ready=True,
        ).info

    def text(endpoint: endpoints_pb2.ApiServiceDescriptor) -> str:
        return text_format.MessageToString(endpoint, as_one_line=True)

    variables = {
        "WORKER_ID": worker_id,
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options, indent=None),
        "LOGGING_API_SERVICE_DESCRIPTOR": text(info.logging_endpoint),
        "CONTROL_API_SERVICE_DESCRIPTOR": text(info.control_endpoint),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
    }
    if info.status_endpoint.url:
        variables["STATUS_API_SERVICE_DESCRIPTOR"] = text(info.status_endpoint)
    return variables


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="reelflow-beam-worker", description=__doc__)
    parser.add_argument("--id", required=True, help="the worker's id")
    parser.add_argument("--provision_endpoint", required=True, help="host:port")
    # The contract has more options; the provision service answers with the same values.
    return parser.parse_known_args(argv)[0]


if __name__ == "__main__":
    main()
