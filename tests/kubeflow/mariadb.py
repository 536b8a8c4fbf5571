"""A MariaDB server of one's own for a while: the MySQL that ML Metadata lies in on a cluster."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Debian's packages without the service; elsewhere there is only the whole.
PACKAGES = (("mariadb-server-core", "mariadb-client-core"), ("mariadb-server",))
PROGRAMS = ("mariadbd", "mariadb-install-db", "my_print_defaults")
SECONDS = 60


def install() -> None:
    """Install Debian's package by apt-get if there is no MariaDB here.

    Raises:
        RuntimeError: it cannot be installed.
    """
    if all(map(_program, PROGRAMS)):
        return
    apt = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    if os.geteuid():
        apt = ["sudo", "-n", *apt]
    if not all(map(shutil.which, {apt[0], "apt-get"})):
        raise RuntimeError("MariaDB is not here, and cannot be installed: install mariadb-server.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for update in (False, True):  # the lists of packages may be missing, or too old
        for packages in PACKAGES:
            steps = [[*apt, "update"]] if update else []
            steps.append([*apt, "install", "--yes", "--no-install-recommends", *packages])
            done = [subprocess.run(s, env=environment, capture_output=True) for s in steps]
            if all(map(_program, PROGRAMS)):
                return
    said = done[-1].stderr.decode(errors="replace").strip()
    raise RuntimeError(f"MariaDB is not here: install mariadb-server. apt-get said: {said}")


@contextmanager
def running(folder: Path) -> Iterator[dict[str, str]]:
    """Run a server whose data lie in `folder`; stops it at the end.

    Yields:
        What the cluster's secret holds: host, port, database, user and password.
    """
    data = folder / "data"
    user, password, port = getpass.getuser(), secrets.token_hex(16), _free_port()
    folder.mkdir(parents=True)
    subprocess.run(
        [
            _program("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={data}",
            f"--user={user}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ],
        check=True,
        capture_output=True,
    )
    begin = folder / "begin.sql"
    begin.write_text(
        "CREATE DATABASE metadata;\n"
        f"CREATE USER reelflow@'127.0.0.1' IDENTIFIED BY '{password}';\n"
        "GRANT ALL ON metadata.* TO reelflow@'127.0.0.1';\n"
    )
    with open(folder / "log.txt", "wb") as log:
        server = subprocess.Popen(
            [
                _program("mariadbd"),
                "--no-defaults",
                f"--datadir={data}",
                f"--user={user}",
                f"--port={port}",
                "--bind-address=127.0.0.1",
                f"--socket={folder / 'socket'}",
                f"--pid-file={folder / 'pid'}",
                f"--init-file={begin}",
                "--skip-name-resolve",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(server, port, folder / "log.txt")
        yield {
            "host": "127.0.0.1",
            "port": str(port),
            "database": "metadata",
            "user": "reelflow",
            "password": password,
        }
    finally:
        server.terminate()
        server.wait(SECONDS)


def _program(name: str) -> str:
    """Its path, also outside a user's PATH; empty if it is not here."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin") or ""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait for the greeting that a server sends to whoever connects."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and server.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                if connection.recv(64):
                    return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"MariaDB does not start:\n{log.read_text(errors='replace')[-2000:]}")
