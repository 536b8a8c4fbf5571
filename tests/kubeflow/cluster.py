"""Plays Kubeflow Pipelines on this machine: runs a package's commands in order of dependency.

Reads the package alone. Placeholders are replaced as KFP's driver and launcher do, retries are the
package's, and a task sees the environment that its container would: what an image has (PATH, HOME),
and what the package names.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_PARAMETER = re.compile(r"\{\{\$\.inputs\.parameters\['(\w+)'\]\}\}")
_RUN_ID = "{{$.pipeline_job_uuid}}"

Secrets = Mapping[str, Mapping[str, str]]
"""Name of a secret to its keys and values."""


@dataclass(frozen=True)
class Task:
    """One container task of a package, ready to be run."""

    name: str
    title: str
    command: list[str]
    environment: dict[str, str]
    mounts: dict[str, str]
    upstream: tuple[str, ...]
    retries: int
    image: str
    resources: dict[str, Any]
    cached: bool


@dataclass
class Attempt:
    """One process of a task."""

    task: str
    code: int
    seconds: float
    log: Path


@dataclass
class Run:
    """The result of a run."""

    run_id: str
    attempts: list[Attempt] = field(default_factory=list)

    def of(self, task: str) -> list[Attempt]:
        """The attempts at a task, in order."""
        return [attempt for attempt in self.attempts if attempt.task == task]


def tasks_of(
    package: Path, run_id: str, parameters: Mapping[str, Any], secrets: Secrets
) -> dict[str, Task]:
    """The tasks of a package, with the parameters of a run in their command lines."""
    spec, platform = yaml.safe_load_all(package.read_text(encoding="utf-8"))
    defined = spec["root"]["inputDefinitions"]["parameters"]
    assert parameters.keys() <= defined.keys()
    values = {name: entry.get("defaultValue") for name, entry in defined.items()} | parameters
    executors = spec["deploymentSpec"]["executors"]
    platforms = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    tasks = {}
    for name, task in spec["root"]["dag"]["tasks"].items():
        label = spec["components"][task["componentRef"]["name"]]["executorLabel"]
        container, extras = executors[label]["container"], platforms[label]
        given = {
            key: _given(entry, values, run_id)
            for key, entry in task["inputs"]["parameters"].items()
        }
        environment = {e["name"]: e["value"] for e in container.get("env", ())}
        for secret in extras.get("secretAsEnv", ()):
            for pair in secret["keyToEnv"]:
                environment[pair["envVar"]] = secrets[secret["secretName"]][pair["secretKey"]]
        tasks[name] = Task(
            name=name,
            title=task["taskInfo"]["name"],
            command=[_filled(word, given) for word in container["command"] + container["args"]],
            environment=environment,
            mounts={m["constant"]: m["mountPath"] for m in extras.get("pvcMount", ())},
            upstream=tuple(task.get("dependentTasks", ())),
            retries=task.get("retryPolicy", {}).get("maxRetryCount", 0),
            image=container["image"],
            resources=container.get("resources", {}),
            cached=task.get("cachingOptions", {}).get("enableCache", False),
        )
    return tasks


def _given(entry: Mapping[str, Any], values: Mapping[str, Any], run_id: str) -> Any:
    """The value of a task's input: a parameter of the run, or a constant."""
    if "componentInputParameter" in entry:
        return values[entry["componentInputParameter"]]
    constant = entry["runtimeValue"]["constant"]
    return run_id if constant == _RUN_ID else constant


def _filled(word: str, given: Mapping[str, Any]) -> str:
    """Texts go in as they are, everything else as JSON."""

    def value(match: re.Match[str]) -> str:
        found = given[match[1]]
        return found if isinstance(found, str) else json.dumps(found)

    return _PARAMETER.sub(value, word)


def run(
    package: Path,
    folder: Path,
    secrets: Secrets,
    parameters: Mapping[str, Any] | None = None,
    kill: tuple[str, Callable[[], bool]] | None = None,
    workers: int = 2,
    tell: Callable[[str], None] = print,
) -> Run:
    """Run every task of a package as a process of its own.

    Args:
        package: the compiled package.
        folder: gets the logs, and is every process's home.
        secrets: of the cluster.
        parameters: of the run.
        kill: a task's title, and what says that its first attempt is in the middle; it is killed
            then, as by a machine that goes.
        workers: tasks at a time.
        tell: gets a line for every attempt.

    Raises:
        RuntimeError: a task failed, retries included; names its log.
    """
    made = Run(str(uuid.uuid4()))
    tasks = tasks_of(package, made.run_id, parameters or {}, secrets)
    done: set[str] = set()
    waiting, busy = dict(tasks), dict[Future[list[Attempt]], str]()
    with ThreadPoolExecutor(workers) as pool:
        while waiting or busy:
            ready = [task for task in waiting.values() if set(task.upstream) <= done]
            for task in ready[: workers - len(busy)]:
                watch = kill[1] if kill and kill[0] == task.title else None
                busy[pool.submit(_attempts, task, folder, made.run_id, watch, tell)] = task.name
                del waiting[task.name]
            finished, _ = wait(busy, return_when=FIRST_COMPLETED)
            for future in finished:
                done.add(busy.pop(future))
                made.attempts += future.result()
    return made


def _attempts(
    task: Task, folder: Path, run_id: str, kill: Callable[[], bool] | None, tell: Any
) -> list[Attempt]:
    attempts: list[Attempt] = []
    for number in range(1 + task.retries):
        log = folder / f"{run_id[:8]}-{task.name}-{number + 1}.log"
        attempt = _process(task, folder, log, kill if number == 0 else None)
        attempts.append(attempt)
        last = log.read_text(errors="replace").strip().splitlines()[-1:] or [""]
        code = f"exit code {attempt.code}" if attempt.code else last[0]
        tell(f"  {attempt.seconds:5.1f} s  {task.title:20} {code}")
        if attempt.code == 0:
            return attempts
    raise RuntimeError(f"{task.title} failed: {log}\n{log.read_text(errors='replace')[-3000:]}")


def _process(task: Task, folder: Path, log: Path, kill: Callable[[], bool] | None) -> Attempt:
    image = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(folder)}
    began = time.monotonic()
    with open(log, "wb") as output:
        process = subprocess.Popen(
            task.command,
            env={**image, **task.environment},
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    if kill:
        threading.Thread(target=_kill_when, args=(process, kill), daemon=True).start()
    code = process.wait()
    return Attempt(task.title, code, time.monotonic() - began, log)


def _kill_when(process: subprocess.Popen[bytes], middle: Callable[[], bool]) -> None:
    """Send SIGKILL to the process and its children once it is in the middle."""
    while process.poll() is None:
        if middle():
            os.killpg(process.pid, signal.SIGKILL)
            return
        time.sleep(0.1)
