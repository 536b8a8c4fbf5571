"""Commands in processes of their own that have imported everything already, and that may be killed.

`python -m tests.warm` imports TensorFlow and TFX once, and then forks a process for each command
that it is asked for: as true as a new one, signals and memory included, and ten seconds cheaper. A
fault may be planted in it. Requests and answers are lines of JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import IO, Any, Final

from reelflow.base.environment import die_with_parent
from tests.command import ROOT, Ended

KILL, HANG, KILL_TURN = "kill", "hang", "kill the turn"


@dataclass(frozen=True)
class Fault:
    """What befalls a run before or after something that it does."""

    at: str
    """A node's id, or `module:function`."""
    after: bool = False
    what: str = KILL
    """`kill` by SIGKILL, `hang`, or `kill the turn` that has called the run."""


class Warm:
    """The process that forks; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0
        self.seconds = 0.0
        """Processor time of the last command and its children."""
        self.megabytes = 0.0
        """Its memory, at most."""

    def __enter__(self) -> Warm:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.warm"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def __call__(self, *words: str | Path, fault: Fault | None = None, **memory: int) -> Ended:
        """Call `reelflow` with these words; its exit code is negative after a signal.

        Args:
            words: of the command line.
            fault: befalls the run.
            memory: `bytes`, the address space that the command may have.
        """
        self._count += 1
        stem = self._folder / f"warm-{self._count}"
        asked = {
            "words": [str(word) for word in words],
            "fault": None if fault is None else vars(fault),
            "out": f"{stem}.out",
            "err": f"{stem}.err",
            **memory,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        self.seconds, self.megabytes = answer["seconds"], answer["megabytes"]
        texts = []
        for path in (Path(asked["out"]), Path(asked["err"])):
            texts.append(path.read_text(errors="replace"))
            path.unlink()
        return Ended(answer["code"], *texts)


class Forked:
    """A run as `subprocess.Popen` would start one, forked from this process."""

    fault: Fault | None = None

    def __init__(
        self,
        words: Sequence[str],
        stdout: IO[bytes],
        env: Mapping[str, str],
        **_: object,
    ) -> None:
        self.pid = _fork(words[words.index("run") :], stdout.fileno(), stdout.fileno(), env, True)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code, negative after a signal."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            ended, status = os.waitpid(self.pid, 0 if deadline is None else os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("reelflow run", timeout or 0)
            time.sleep(0.05)


def _fork(
    words: Sequence[str], out: int, err: int, env: Mapping[str, str], run: bool, limit: int = 0
) -> int:
    """Fork a process that calls `reelflow`; return its id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setsid()
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.environ.clear()
        os.environ.update(env)
        sys.argv = ["reelflow", *words]
        if limit:
            import resource

            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        if run and Forked.fault is not None:
            _plant(Forked.fault)
        from pipeline.cli import main

        main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(code)


def _befall(fault: Fault) -> None:
    if fault.what == HANG:
        time.sleep(3600)
    if fault.what == KILL_TURN:  # the parent of the parent: in between is the supervisor
        parent = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1]
        os.kill(int(parent), signal.SIGKILL)
        time.sleep(60)
    os.kill(os.getpid(), signal.SIGKILL)


def _plant(fault: Fault) -> None:
    """Let a fault befall this process at its place."""
    from importlib import import_module

    from pipeline.runs import launcher

    module, colon, name = fault.at.partition(":")
    holder: Any = import_module(module) if colon else launcher
    name = name if colon else "launch_node"
    before: Callable[..., Any] = getattr(holder, name)

    def faulty(*arguments: Any, **named: Any) -> Any:
        here = bool(colon) or fault.at in arguments
        if here and not fault.after:
            _befall(fault)
        answer = before(*arguments, **named)
        if here and fault.after:
            _befall(fault)
        return answer

    setattr(holder, name, faulty)


def _import() -> None:
    """Import all that a run imports, and start nothing."""
    from pipeline.fixed_costs import import_lightly, settle
    from reelflow.config import BeamConfig

    import_lightly(BeamConfig())
    import mlflow.store.model_registry.sqlalchemy_store
    import mlflow.store.tracking.sqlalchemy_store
    import tensorflow

    import pipeline.cli.models
    import pipeline.cli.run
    import pipeline.cli.schedule
    import pipeline.definition
    import pipeline.runs.finish
    import pipeline.runs.launcher
    import pipeline.runs.retention
    import pipeline.schedule.turn
    import reelflow.model.training
    import reelflow.registry.registration

    names: Final = (mlflow, tensorflow, pipeline, reelflow)
    assert names
    settle()


def main() -> None:
    """Answer requests until there are no more."""
    die_with_parent(os.getppid())
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _import()
    from pipeline.schedule import turn

    names = ("STDOUT", "DEVNULL", "TimeoutExpired")
    forking = {name: getattr(subprocess, name) for name in names}
    turn.subprocess = SimpleNamespace(Popen=Forked, **forking)  # type: ignore[attr-defined]
    for line in sys.stdin:
        asked = json.loads(line)
        Forked.fault = Fault(**asked["fault"]) if asked["fault"] else None
        words = asked["words"]
        with open(asked["out"], "wb") as out, open(asked["err"], "wb") as err:
            run = words[0] == "run"
            child = _fork(words, out.fileno(), err.fileno(), os.environ, run, asked.get("bytes", 0))
            _, status, used = os.wait4(child, 0)
        answer = {
            "code": os.waitstatus_to_exitcode(status),
            "seconds": used.ru_utime + used.ru_stime,
            "megabytes": used.ru_maxrss / 1024,
        }
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
