"""`reelflow kubeflow`: compile the pipeline to a package, submit it, schedule it."""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from pipeline.cli.options import ConfigFile, Overrides, Preset
from pipeline.cli.output import console
from reelflow.base.errors import BadInput, ReelflowError

if TYPE_CHECKING:
    from pipeline.kubeflow.client import Submitted

kubeflow_app = typer.Typer(
    help="Compile the pipeline for Kubeflow Pipelines 2, and run it there.", no_args_is_help=True
)

PACKAGE = Path("reelflow.yaml")
Name = Annotated[str, typer.Option(help="The pipeline's name on the server.")]
Package = Annotated[
    Path, typer.Argument(help="Package by `reelflow kubeflow compile`.", metavar="[PACKAGE]")
]
Data = Annotated[
    str | None, typer.Option(help="Ratings as the cluster sees them: folder or address.")
]
Span = Annotated[str | None, typer.Option(help="Span of the ratings, as data.span.")]
Host = Annotated[
    str, typer.Option(envvar="KF_PIPELINES_ENDPOINT", help="Address of Kubeflow Pipelines.")
]
Namespace = Annotated[
    str | None,
    typer.Option(envvar="KF_PIPELINES_NAMESPACE", help="Yours, where there are several."),
]
Token = Annotated[
    str | None,
    typer.Option(
        envvar="KF_PIPELINES_TOKEN", help="Bearer token; safer in the environment than here."
    ),
]
CaCert = Annotated[
    str | None,
    typer.Option(
        envvar="KF_PIPELINES_SSL_CA_CERT", help="File of certificate authorities to trust."
    ),
]
Experiment = Annotated[str, typer.Option(help="Experiment; made if there is none of this name.")]


@kubeflow_app.callback()
def _needs_the_sdk() -> None:
    """Compile the pipeline for Kubeflow Pipelines 2, and run it there."""
    if find_spec("kfp") is None:
        raise ReelflowError(
            "The kfp SDK is not installed: none fits TFX on this Python.",
            "Compile and submit with Python 3.10 or 3.11; the tasks themselves do not need it.",
        )


@kubeflow_app.command()
def compile(  # the sub-command's name
    config: ConfigFile = None,
    preset: Preset = None,
    data: Data = None,
    overrides: Overrides = None,
    name: Name = "reelflow",
    package: Annotated[Path, typer.Option(help="File to write, ending in .yaml.")] = PACKAGE,
) -> None:
    """Write the package: one container task for every node, with its resources."""
    import json

    from reelflow.base.environment import prepare
    from reelflow.config.loading import load

    if package.suffix not in (".yaml", ".yml"):
        raise BadInput(f"{package}: a package ends in .yaml.", "For example --package out.yaml.")
    changes = [*(overrides or ()), *([f"data.path={json.dumps(data)}"] if data else [])]
    effective = load(config, changes, preset)
    prepare()
    with console.status("Starting TensorFlow and TFX"):
        from pipeline.kubeflow.package import compile_graph, write_package

        graph = compile_graph(effective)
        write_package(graph, effective, name, package)
    console.print(f"{package}: {len(graph.upstream)} nodes, image {effective.kubeflow.image}")


@kubeflow_app.command()
def submit(
    host: Host,
    package: Package = PACKAGE,
    data: Data = None,
    span: Span = None,
    overrides: Overrides = None,
    name: Name = "reelflow",
    experiment: Experiment = "reelflow",
    run: Annotated[str | None, typer.Option("--run-name", help="The run's name.")] = None,
    namespace: Namespace = None,
    token: Token = None,
    ca_cert: CaCert = None,
) -> None:
    """Start a run of a package on a server."""
    from pipeline.kubeflow.client import Client, Server

    parameters = _parameters(package, data, span, overrides)
    client = Client(Server(host, namespace, token, ca_cert))
    title = run or f"{name} {time.strftime('%Y-%m-%d %H:%M:%S')}"
    _print_submitted("run", client.submit(package, name, experiment, title, parameters))


@kubeflow_app.command()
def schedule(
    host: Host,
    cron: Annotated[str, typer.Option(help="When, as '0 3 * * 0'; six fields begin with seconds.")],
    package: Package = PACKAGE,
    data: Data = None,
    span: Span = None,
    overrides: Overrides = None,
    max_concurrency: Annotated[int, typer.Option(min=1, max=10, help="Runs at a time.")] = 1,
    catch_up: Annotated[bool, typer.Option(help="Make up for runs that were missed.")] = False,
    start: Annotated[str | None, typer.Option(help="Not before, as 2026-12-01T00:00:00Z.")] = None,
    end: Annotated[str | None, typer.Option(help="Not after.")] = None,
    paused: Annotated[bool, typer.Option("--paused", help="Switched off at first.")] = False,
    name: Name = "reelflow",
    experiment: Experiment = "reelflow",
    job: Annotated[
        str, typer.Option("--job-name", help="The recurring run's name; one of that name goes.")
    ] = "reelflow",
    namespace: Namespace = None,
    token: Token = None,
    ca_cert: CaCert = None,
) -> None:
    """Have a server run a package again and again."""
    from pipeline.kubeflow.client import Client, Schedule, Server, cron_of

    when = Schedule(cron_of(cron), max_concurrency, catch_up, start, end, enabled=not paused)
    parameters = _parameters(package, data, span, overrides)
    client = Client(Server(host, namespace, token, ca_cert))
    submitted = client.schedule(package, name, experiment, job, parameters, when)
    _print_submitted("recurring run", submitted)


def _parameters(
    package: Path, data: str | None, span: str | None, overrides: list[str] | None
) -> dict[str, Any]:
    """Return the parameters on the command line, after a try on the package's configuration.

    Raises:
        BadInput: the file is no package, or every task would refuse the parameters.
    """
    from pipeline.kubeflow.parameters import packaged

    options = {"data": data, "span": span, "overrides": overrides}
    parameters = {key: value for key, value in options.items() if value}
    packaged(package, **parameters).effective_config()
    return parameters


def _print_submitted(kind: str, submitted: Submitted) -> None:
    console.print(Text(f"{kind} {submitted.id}, version {submitted.version}"), soft_wrap=True)
    console.print(Text(submitted.link, style="dim"), soft_wrap=True)
