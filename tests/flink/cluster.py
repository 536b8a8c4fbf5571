"""A Flink cluster of processes on this machine: installed, started, watched, killed, stopped."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

FLINK = "1.19.3"
FLINK_MINOR = FLINK.rpartition(".")[0]
# The newest whose runner and all its parts are found in mirrors of Maven Central that are not
# complete. Beam's portability protocol lets it serve the newer Python package.
JOB_SERVER_BEAM = "2.62.0"
_ATTEMPTS = 5
_ROOT = Path(__file__).parents[2]
_ENTRY = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_JOB_SERVER = "org.apache.beam.runners.flink.FlinkJobServerDriver"
_TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
# What Flink's own configuration opens on Java 17.
_OPENED = (
    "java.lang",
    "java.lang.invoke",
    "java.lang.reflect",
    "java.net",
    "java.nio",
    "java.text",
    "java.time",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "java.util.concurrent.locks",
)
# Sizes for one slot; a Transform graph has hundreds of steps, each with its share of the memory.
_CONFIG = """\
jobmanager.rpc.address: localhost
jobmanager.rpc.port: {rpc}
jobmanager.memory.process.size: 1g
rest.address: localhost
rest.port: {rest}
taskmanager.host: localhost
taskmanager.numberOfTaskSlots: 1
taskmanager.cpu.cores: 1
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.framework.off-heap.size: 128m
taskmanager.memory.jvm-metaspace.size: 256m
taskmanager.memory.jvm-overhead.min: 192m
taskmanager.memory.jvm-overhead.max: 192m
taskmanager.memory.task.heap.size: 512m
taskmanager.memory.task.off-heap.size: 64m
taskmanager.memory.network.min: 384m
taskmanager.memory.network.max: 384m
taskmanager.network.sort-shuffle.min-parallelism: 1000
taskmanager.memory.managed.size: 512m
classloader.resolve-order: parent-first
pekko.ask.timeout: 120 s
web.timeout: 120000
heartbeat.interval: 5000
heartbeat.timeout: 120000
restart-strategy.type: exponential-delay
restart-strategy.exponential-delay.initial-backoff: 30 s
restart-strategy.exponential-delay.max-backoff: 2 min
restart-strategy.exponential-delay.attempts-before-reset-backoff: 5
io.tmp.dirs: {tmp}
"""
_LOG = """\
rootLogger.level = INFO
rootLogger.appenderRef.file.ref = File
appender.file.type = File
appender.file.name = File
appender.file.fileName = ${sys:log.file}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{HH:mm:ss,SSS} %-5p %-60c %x - %m%n
"""


def install(cache: Path) -> None:
    """Flink from PyPI, Beam's job server from Maven Central; Java and Maven by apt-get if missing.

    Args:
        cache: gets `flink/`, `job-server/` and Maven's own files; what is complete stays.
    """
    if not (shutil.which("java") and shutil.which("mvn")):
        apt = [] if os.geteuid() == 0 else ["sudo", "-n"]
        apt += ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
        subprocess.run([*apt, "update"], check=True)
        packages = ["default-jre-headless", "maven"]
        subprocess.run([*apt, "install", "-y", "--no-install-recommends", *packages], check=True)
    # The distribution, in a package of its own that has no other use for Python.
    pip = [str(_ROOT / "setup.sh"), "uv", "pip", "install", "-q", "--no-deps", "--target"]
    maven = ["mvn", "-q", "-B", "-f", str(_ROOT / "tests" / "flink" / "pom.xml")]
    maven += [f"-Dbeam.version={JOB_SERVER_BEAM}", f"-Dflink.minor={FLINK_MINOR}"]
    maven += [f"-Dmaven.repo.local={cache / 'maven'}", "dependency:copy-dependencies"]
    maven += ["-DincludeScope=runtime", "-DoutputDirectory="]
    for name, command in (
        ("flink", [*pip, "{}", f"apache-flink-libraries=={FLINK}"]),
        ("job-server", [*maven[:-1], f"{maven[-1]}{{}}"]),
    ):
        complete = cache / name / ".complete"
        if not complete.exists():
            shutil.rmtree(cache / name, ignore_errors=True)
            folder = str(cache / name)
            subprocess.run([word.replace("{}", folder) for word in command], check=True)
            complete.touch()


class Cluster:
    """One job manager, some task managers and Beam's job server, each a JVM of its own.

    Args:
        cache: where `install` has put everything.
        folder: for configuration, logs and temporary files; is made.
        task_managers: of one slot each.
    """

    def __init__(self, cache: Path, folder: Path, task_managers: int) -> None:
        flink = [*(cache / "flink" / "pyflink" / "lib").glob("*.jar")]
        beam = [*(cache / "job-server").glob("*.jar")]
        self._job_server = [*beam, *(jar for jar in flink if jar.name.startswith("log4j-"))]
        # Beam keeps a Python worker from one step to the next only if it is part of Flink itself:
        # what comes with a job is closed with each step (its FlinkExecutableStageContextFactory).
        self._flink = [*flink, *(jar for jar in beam if not jar.name.startswith("flink-"))]
        self._folder = folder
        (folder / "tmp").mkdir(parents=True)
        self.rest = _free_port()
        config = _CONFIG.format(rpc=_free_port(), rest=self.rest, tmp=folder / "tmp")
        (folder / "config.yaml").write_text(config)
        (folder / "log4j.properties").write_text(_LOG)
        where = ("--configDir", str(folder))
        port = _free_port()
        self.job_endpoint = f"localhost:{port}"
        ports = (f"--job-port={port}", "--artifact-port=0", "--expansion-port=0")
        places = (f"--flink-master=localhost:{self.rest}", f"--artifacts-dir={folder / 'staged'}")
        self._processes = {"job-manager": self._start("job-manager", self._flink, _ENTRY, *where)}
        try:
            self._wait("job-manager", lambda: self.ask("/taskmanagers"))
            server = self._start("job-server", self._job_server, _JOB_SERVER, *ports, *places)
            self._processes["job-server"] = server
            self._wait("job-server", lambda: socket.create_connection(("localhost", port)).close())
            for _ in range(task_managers):
                self.add()
        except BaseException:
            self.stop()
            raise

    def add(self) -> str:
        """Start a task manager and waits for it; returns its name."""
        # It gives up if it has no port open after ten seconds, which a busy machine may not grant.
        for _ in range(_ATTEMPTS):
            name = f"task-manager-{sum('task' in known for known in self._processes) + 1}"
            options = ("--configDir", str(self._folder), f"-Dtaskmanager.resource-id={name}")
            process = self._start(name, self._flink, _TASK_MANAGER, *options)
            self._processes[name] = process
            while process.poll() is None:
                if name in {each["id"] for each in self.ask("/taskmanagers")["taskmanagers"]}:
                    return name
                time.sleep(0.5)
        raise SystemExit(f"No task manager came up; the logs are in {self._folder}")

    def kill(self, name: str) -> None:
        """Kill a task manager's JVM at once; its Python worker is left to itself."""
        self._processes[name].kill()
        self._processes[name].wait()

    def stop(self) -> None:
        """End all processes."""
        for process in reversed(self._processes.values()):
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()

    def ask(self, path: str) -> Any:
        """An answer of Flink's REST API."""
        with urllib.request.urlopen(f"http://localhost:{self.rest}{path}", timeout=20) as answer:
            return json.load(answer)

    def jobs(self) -> dict[str, str]:
        """State by id, newest last."""
        found = sorted(self.ask("/jobs/overview")["jobs"], key=lambda job: job["start-time"])
        return {job["jid"]: job["state"] for job in found}

    def at_work(self) -> list[str]:
        """Task managers that run a task of the newest job."""
        jobs = self.jobs()
        if not jobs or jobs[[*jobs][-1]] != "RUNNING":
            return []
        job = [*jobs][-1]
        names = set()
        for vertex in self.ask(f"/jobs/{job}")["vertices"]:
            if vertex["status"] == "RUNNING":
                tasks = self.ask(f"/jobs/{job}/vertices/{vertex['id']}")["subtasks"]
                names |= {task["taskmanager-id"] for task in tasks if task["status"] == "RUNNING"}
        return sorted(names & set(self._processes))

    def done(self, job: str) -> float:
        """Share of a job's tasks that have ended well."""
        tasks = self.ask(f"/jobs/{job}")["status-counts"]
        return float(tasks["FINISHED"] / max(sum(tasks.values()), 1))

    def failures(self, job: str) -> list[str]:
        """What went wrong in a job that Flink went on with, first lines only."""
        history = self.ask(f"/jobs/{job}/exceptions")["exceptionHistory"]["entries"]
        return [entry["stacktrace"].splitlines()[0] for entry in history]

    def _start(
        self, name: str, jars: list[Path], entry: str, *options: str
    ) -> subprocess.Popen[bytes]:
        opened = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED]
        java = ["java", "-Xms128m", "-Xmx768m", "-XX:MaxDirectMemorySize=1g", *opened]
        java += [f"-Dlog.file={self._folder / name}.log"]
        java += [f"-Dlog4j.configurationFile=file:{self._folder / 'log4j.properties'}"]
        java += ["-cp", os.pathsep.join(map(str, jars)), entry, *options]
        with (self._folder / f"{name}.out").open("wb") as out:
            return subprocess.Popen(java, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def _wait(self, name: str, ask: Callable[[], object]) -> None:
        while self._processes[name].poll() is None:
            try:
                ask()
                return
            except OSError:  # it does not answer yet
                time.sleep(0.5)
        raise SystemExit(f"{name} ended at once; the logs are in {self._folder}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("localhost", 0))
        port: int = found.getsockname()[1]
        return port
