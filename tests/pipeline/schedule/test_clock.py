"""Timers are installed and removed."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from pipeline.schedule.clock import Cron, Every, Job, Systemd, clock, job_name, missing_day
from reelflow.base.errors import BadInput, ReelflowError

ODD = 'train.optimizer="ad am" 100%$HOME'


def job(tmp_path: Path, every: Every = "day", at: str = "03:05") -> Job:
    command = ("/opt/reelflow/bin/reelflow", "schedule", "run", "--data", "r/{SPAN}", "--set", ODD)
    return Job(tmp_path / "model 1", command, tmp_path, every, at)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for `systemctl` and `crontab`, and a home; returns where they keep what they do."""
    folder = tmp_path / "bin"
    folder.mkdir()
    kept = tmp_path / "kept"
    kept.mkdir()
    scripts = {
        "systemctl": f'echo "$@" >> {kept}/systemctl',
        "crontab": f'if [ "$1" = -l ]; then cat {kept}/crontab; else cat > {kept}/crontab; fi',
    }
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return kept


def test_systemd_is_installed_and_removed(tmp_path: Path, programs: Path) -> None:
    found, name = clock(None), job(tmp_path).name
    assert isinstance(found, Systemd)
    (programs / "systemctl").unlink()
    timer = Path(found.install(job(tmp_path)))
    service = timer.with_suffix(".service")
    assert timer.parent == tmp_path / "config/systemd/user"
    assert "OnCalendar=*-*-* 03:05:00" in timer.read_text()
    assert "Persistent=true" in timer.read_text()
    assert f"WorkingDirectory={tmp_path}" in service.read_text()
    assert "SuccessExitStatus=3" in service.read_text()
    assert '"train.optimizer=\\"ad am\\" 100%%$$HOME"' in service.read_text()
    assert (programs / "systemctl").read_text().splitlines() == [
        "--user daemon-reload",
        f"--user enable --now {name}.timer",
    ]
    found.install(job(tmp_path, at="4:00"))
    assert "04:00:00" in timer.read_text()
    assert found.remove(name) == str(timer)
    assert not timer.exists()
    assert not service.exists()
    assert found.remove(name) is None


def test_cron_keeps_what_is_not_ours(tmp_path: Path, programs: Path) -> None:
    (programs / "crontab").write_text("0 1 * * * mine\n")
    found, name = Cron(), job(tmp_path).name
    found.install(job(tmp_path))
    found.install(job(tmp_path, every="week"))
    mine, ours = (programs / "crontab").read_text().splitlines()
    assert mine == "0 1 * * * mine"
    assert ours.startswith("5 3 * * 0 cd ")
    assert ours.endswith(f"# {name}")
    assert found.remove(name) == f"the crontab, # {name}"
    assert (programs / "crontab").read_text() == "0 1 * * * mine\n"
    assert found.remove(name) is None


def test_crons_line_is_what_the_shell_makes_of_it(tmp_path: Path) -> None:
    line = Cron().text(job(tmp_path)).rstrip("\n")
    # Cron itself turns \% into %, and gives the rest to the shell.
    command = line.split(" ", 5)[5].replace("\\%", "%")
    shown = command.replace("/opt/reelflow/bin/reelflow", "printf '%s\\n'")
    done = subprocess.run(["sh", "-c", shown], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == list(job(tmp_path).command[1:])


@pytest.mark.parametrize(
    ("every", "systemd", "cron"),
    [
        ("hour", "*-*-* *:05:00", "5 * * * *"),
        ("day", "*-*-* 03:05:00", "5 3 * * *"),
        ("week", "Sun *-*-* 03:05:00", "5 3 * * 0"),
        ("month", "*-*-01 03:05:00", "5 3 1 * *"),
    ],
)
def test_times(tmp_path: Path, every: Every, systemd: str, cron: str) -> None:
    assert f"OnCalendar={systemd}\n" in Systemd().text(job(tmp_path, every))
    assert Cron().text(job(tmp_path, every)).startswith(f"{cron} cd ")
    if shutil.which("systemd-analyze"):
        subprocess.run(["systemd-analyze", "calendar", systemd], capture_output=True, check=True)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    described = job(tmp_path)
    real = Job(described.output, ("/bin/true", *described.command[1:]), tmp_path, "day", "03:00")
    units = Systemd()._units(real)
    for path, text in units.items():
        (tmp_path / path.name).write_text(text)
    paths = [str(tmp_path / path.name) for path in units]
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", *paths], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if real.name in line]
    assert ours == []


def test_each_output_folder_has_a_name_of_its_own(tmp_path: Path) -> None:
    names = {job_name(tmp_path / "a" / "output"), job_name(tmp_path / "b" / "output")}
    assert len(names) == 2
    assert all(name.startswith("reelflow-output-") for name in names)


def test_what_goes_wrong_is_told(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match="not a time of the day"):
        Systemd().text(job(tmp_path, at="25:00"))
    (tmp_path / "bin" / "systemctl").write_text("#!/bin/sh\necho no bus >&2; exit 1\n")
    with pytest.raises(ReelflowError, match="no bus"):
        Systemd().install(job(tmp_path))
    assert isinstance(clock(None), Cron)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="neither a systemd of yours nor cron"):
        clock(None)


def test_a_time_that_a_day_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert missing_day(3, 0) is None
        day = missing_day(2, 30)
        assert day is not None
        assert (day.month, day.weekday()) == (3, 6)
        job = Job(Path("/out"), ("reelflow",), Path("/"), "day", "02:30")
        with pytest.raises(BadInput, match=f"go forward over it on {day:%Y-%m-%d}"):
            Cron().text(job)
        every_hour = Job(Path("/out"), ("reelflow",), Path("/"), "hour", "02:30")
        assert Cron().text(every_hour).startswith("30 * * * * ")
    finally:
        monkeypatch.undo()
        time.tzset()
