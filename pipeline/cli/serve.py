"""`reelflow serve`: the pushed model over HTTP, with a page."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from pipeline.cli.options import DEFAULT_OUTPUT, Output
from pipeline.cli.output import console, labelled
from pipeline.runs.summary import read_summary
from reelflow.base.errors import BadInput, ReelflowError
from reelflow.config.layout import Layout

if TYPE_CHECKING:
    from socket import socket

    from reelflow.registry.alias import Alias
    from reelflow.serving.access import Access
    from reelflow.serving.limits import Limits

_MEASURED = {
    "unseen_top_10": "unseen/top_10",
    "unseen_top_100": "unseen/top_100",
    "unseen_ndcg_10": "unseen/ndcg_10",
    "rmse": "rmse",
    "mae": "mae",
}
"""Name in the server's answers to path of the metric."""
_RATE = 1_000.0
"""Units of work a second for a client of a server that others can reach."""


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for all networks.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any.")] = 8501,
    output: Output = DEFAULT_OUTPUT,
    model: Annotated[
        str | None,
        typer.Option(
            help="Folder of one model or of several versions, or a registered one: "
            "models:/NAME@ALIAS.",
            metavar="DIR|URI",
        ),
    ] = None,
    reload_seconds: Annotated[
        float, typer.Option(min=0, help="Look for a new version; 0 for never.")
    ] = 2.0,
    histories: Annotated[
        bool,
        typer.Option(
            "--histories/--no-histories",
            help="Answers may tell what users have rated; else a user gets one short list.",
        ),
    ] = True,
    rules: Annotated[
        Path | None,
        typer.Option(
            help="TOML or JSON file with rules about all lists, read anew when it changes.",
            metavar="FILE",
        ),
    ] = None,
    posters: Annotated[
        Path | None,
        typer.Option(
            help="Table with the columns movie_id and poster: names of picture files, seen from "
            "the table's folder, or addresses.",
            metavar="FILE",
        ),
    ] = None,
    posters_elsewhere: Annotated[
        bool,
        typer.Option(
            "--posters-elsewhere", help="The page may load posters from the hosts of the table."
        ),
    ] = False,
    events: Annotated[
        Path | None,
        typer.Option(
            help="Take events of users, and keep them as spans in this folder, for "
            "`reelflow run --data DIR --span latest`.",
            metavar="DIR",
        ),
    ] = None,
    events_seconds: Annotated[
        float, typer.Option(min=1, help="Time after which events become a span.")
    ] = 3600.0,
    keys: Annotated[
        Path | None,
        typer.Option(
            help="File of API keys, made by `reelflow key`; REELFLOW_API_KEYS may hold its lines.",
            metavar="FILE",
        ),
    ] = None,
    without_keys: Annotated[
        bool, typer.Option("--without-keys", help="All who reach the server may ask it.")
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Name of the server beside --host; *.NAME for all below; * for any."),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(help="Origin of pages that may ask from a browser, as https://shop.example."),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Units of work a second for one client, a list of ten movies being one; 0 for any "
            "number, as on this machine; else 1000.",
        ),
    ] = None,
    connections: Annotated[
        int, typer.Option(min=1, help="Connections at once, of each process.")
    ] = 512,
    keep_alive: Annotated[
        int, typer.Option(min=0, help="Seconds that a connection waits for its next request.")
    ] = 5,
    workers: Annotated[
        int,
        typer.Option(min=1, help="Processes that answer; large parts of the model they share."),
    ] = 1,
    root_path: Annotated[
        str, typer.Option(help="Path below which a proxy has the server, as /movies.")
    ] = "",
    proxy: Annotated[
        str | None,
        typer.Option(help="Addresses of proxies whose X-Forwarded-For is believed.", metavar="A,B"),
    ] = None,
    access_log: Annotated[
        Path | None,
        typer.Option(help="Append a line of JSON for each request; /dev/stderr works."),
    ] = None,
) -> None:
    """Serve the newest pushed model: a page, a JSON API and TensorFlow Serving's REST paths.

    A version pushed later, or that the alias is given to, takes over without a failed request.
    The registry is MLflow's, found by MLFLOW_TRACKING_URI, or else the one in --output. Stop with
    Ctrl-C or SIGTERM.
    """
    from reelflow.serving.access import VARIABLE, Access, is_loopback
    from reelflow.serving.app import listen, url
    from reelflow.serving.limits import Limits
    from reelflow.serving.workers import run_workers

    access = Access.on(
        host,
        keys=os.environ.get(VARIABLE),
        key_file=keys,
        hosts=allow_host or (),
        origins=allow_origin or (),
        without_keys=without_keys,
    )
    if rate is None:
        rate = 0.0 if is_loopback(host) else _RATE
    limits = Limits(rate=rate, connections=connections, idle_seconds=keep_alive)
    options = _Options(
        host,
        port,
        output,
        model,
        reload_seconds,
        histories,
        access,
        limits,
        root_path,
        proxy,
        access_log,
        rules,
        posters,
        posters_elsewhere,
        events,
        events_seconds,
    )

    def tell(where: str) -> None:
        console.print(labelled("Page", where, width=16))
        console.print(labelled("API", f"{where}docs", width=16))
        console.print(labelled("TF Serving API", f"{where}v1/models/reelflow", width=16))

    with listen(host, port) as listening:  # a port that is taken is told at once
        where = url(listening)
        if workers == 1:
            console.print("Loading the model ...", style="dim")
            _serve(options, listening, None, lambda: tell(where))
    if workers > 1:
        _log_to_stderr()
        with listen(host, port, shared=True) as reserved:
            where = url(reserved)
            # Each process counts by itself, so that each grants its share.
            divided = replace(limits, rate=limits.rate / workers, burst=limits.burst / workers)
            options = replace(options, port=reserved.getsockname()[1], limits=divided)
            console.print(f"Loading the model in {workers} processes ...", style="dim")
            run_workers(workers, _serve_shared, options, lambda: tell(where))
    console.print("Stopped.", style="dim")


@dataclass(frozen=True)
class _Options:
    """Options of one process of a server."""

    host: str
    port: int
    output: Path
    model: str | None
    reload_seconds: float
    histories: bool
    access: Access
    limits: Limits
    root_path: str
    proxy: str | None
    access_log: Path | None
    rules: Path | None
    posters: Path | None
    posters_elsewhere: bool
    events: Path | None
    events_seconds: float


def _serve_shared(options: _Options, scratch: Path, ready: Callable[[], None]) -> None:
    """Serve in one of several processes; ends by SystemExit after an error, which is told."""
    from pipeline.cli.output import print_error
    from reelflow.base.environment import prepare
    from reelflow.serving.app import listen

    prepare()
    try:
        with listen(options.host, options.port, shared=True) as listening:
            _serve(options, listening, scratch / "variables", ready)
    except ReelflowError as error:
        print_error(error)
        raise SystemExit(error.exit_code) from error


def _serve(
    options: _Options, listening: socket, shared: Path | None, ready: Callable[[], None]
) -> None:
    """Load the model and serve it until the process is told to stop."""
    from reelflow.serving.app import create_app, run, server_of
    from reelflow.serving.events.journal import Journal
    from reelflow.serving.middleware import Metrics
    from reelflow.serving.posters import Posters
    from reelflow.serving.rules.file import RulesFile
    from reelflow.serving.versions import Versions

    _log_to_stderr()
    layout, metrics = Layout.of(options.output), Metrics()
    posters = Posters(options.posters, options.posters_elsewhere) if options.posters else None
    with _log(options.access_log) as log:
        versions = Versions(
            source(options.model, layout),
            options.limits,
            metrics,
            lambda path: measured(layout, path),
            shared,
            posters,
        )
        journal = None
        if options.events:
            journal = Journal(options.events, metrics.registry, options.events_seconds)
        app = create_app(
            versions,
            limits=options.limits,
            metrics=metrics,
            histories=options.histories,
            reload_seconds=options.reload_seconds,
            journal=journal,
            rules=RulesFile(options.rules, metrics.registry) if options.rules else None,
            access=options.access,
            posters=posters,
            root_path=options.root_path,
            access_log=log,
        )
        run(server_of(app, options.limits, options.proxy), listening, ready)


def key(
    name: Annotated[str, typer.Argument(help="Of the client, as logs and limits call it.")],
    scope: Annotated[
        list[str],
        typer.Option(help="read: ask. events: send and delete them. admin: all, and metrics."),
    ] = ["read"],  # noqa: B006  (typer wants a list)
) -> None:
    """Make an API key: the key for the client, and its line for the server's file of keys.

    The line has the key's hash only. As `reelflow key shop --scope read >> keys.txt`: the line goes
    to the standard output, the key to the terminal.
    """
    from pipeline.cli.output import errors
    from reelflow.serving.access import RIGHTS, Key

    if not set(scope) <= set(RIGHTS):
        raise BadInput(f"A scope is one of {', '.join(RIGHTS)}.", "Repeat --scope for several.")
    text, made = Key.make(name, scope)  # type: ignore[arg-type]
    Key.parse(str(made))  # the name may hold a blank
    errors.print(f"The key, shown this once: {text}", soft_wrap=True, highlight=False)
    print(made)


def _log_to_stderr() -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("reelflow").setLevel(logging.INFO)


@contextmanager
def _log(path: Path | None) -> Iterator[TextIO | None]:
    """Open the access log for appending.

    Raises:
        BadInput: it cannot be written.
    """
    if path is None:
        yield None
        return
    try:
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written: {error.strerror}.", "See --access-log."
        ) from error
    with file:
        yield file


def source(model: str | None, layout: Layout) -> Path | Alias:
    """Return the folder or registry alias of `--model`, or the output's serving folder.

    Raises:
        BadInput: it begins like a registry's URI, and is none.
    """
    from reelflow.registry.alias import Alias
    from reelflow.registry.store import SCHEME, address

    if model is None:
        return layout.serving
    if model.startswith(SCHEME):
        return Alias(model, layout.output / "registered", address(None, layout.registry))
    return Path(model)


@lru_cache(maxsize=4)
def _hash_of(version: Path) -> str | None:
    """Return the hash of a version's files, which are read once: they may have gigabytes."""
    from reelflow.base.common import content_hash

    return content_hash(version) if version.is_dir() else None


def measured(layout: Layout, version: Path) -> Mapping[str, float]:
    """Return a version's metrics by name, from the summary of the run that made its model.

    The run is found by the model's bytes: after a rollback a folder holds the model of an earlier
    number, and one from the registry has the registry's number. Empty if no run has left this
    model, or its summary is not yet written.
    """
    for file in layout.runs.glob("*/summary.json"):
        summary = read_summary(file)
        if summary is None or summary.metrics is None:
            continue
        if summary.registered:
            same = summary.registered.model_hash == _hash_of(version)
        else:  # its bytes are not known
            same = summary.pushed is not None and Path(summary.pushed).name == version.name
        if same:
            values = {name: summary.metrics.value(path) for name, path in _MEASURED.items()}
            return {name: value for name, value in values.items() if value is not None}
    return {}
