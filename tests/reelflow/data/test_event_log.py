"""The log of events: what is acknowledged is read again, becomes a span, and can be removed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reelflow.base.errors import BadInput
from reelflow.config.layout import Layout
from reelflow.data.event_lines import Entry, Event, Forgotten, to_line
from reelflow.data.event_log import LOGS, EventLog
from reelflow.data.inputs import effective_config


def event(number: int, user: str = "u", *, trains: bool = True, stars: float | None = 4.0) -> Event:
    return Event(str(number), user, f"m{number}", "rating", stars, trains, 1_000 + number)


def write(log: EventLog, *events: Event) -> None:
    with log.locked():
        log.append(events)


def read(log: EventLog) -> list[Entry]:
    return [*log.follow()]


def spans(folder: Path) -> dict[str, list[str]]:
    """Rows of ratings by span."""
    found = sorted(folder.glob("span-*/ratings.csv"))
    return {path.parent.name: path.read_text().splitlines()[1:] for path in found}


def test_several_processes_see_each_others_events(tmp_path: Path) -> None:
    one, other = EventLog(tmp_path), EventLog(tmp_path)
    write(one, event(1))
    write(other, event(2), event(3))
    assert read(one) == read(other) == [event(1), event(2), event(3)]
    assert read(one) == []
    one.publish()
    write(other, event(4))
    assert read(one) == read(other) == [event(4)]
    assert read(EventLog(tmp_path)) == [event(number) for number in (1, 2, 3, 4)]


def test_the_rows_of_a_span_are_what_ingestion_reads(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    write(log, event(1, 'a "b", c'), event(2, trains=False), event(3, stars=3.5), event(1))
    assert log.publish() == tmp_path / "span-1"
    header, *rows = (tmp_path / "span-1" / "ratings.csv").read_text().splitlines()
    assert header == "userId,movieId,rating,timestamp"
    assert rows == ['"a ""b"", c",m1,4,1001', "u,m3,3.5,1003"]
    assert log.publish() is None


def test_events_without_stars_have_no_such_column(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    write(log, event(1, stars=None))
    assert log.publish()
    text = (tmp_path / "span-1" / "ratings.csv").read_text()
    assert text == "userId,movieId,timestamp\nu,m1,1001\n"


def test_the_number_follows_the_spans_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "day7").mkdir()
    log = EventLog(tmp_path)
    write(log, event(1))
    assert log.publish() == tmp_path / "day8"
    (tmp_path / "day9").mkdir()
    write(log, event(2))
    assert EventLog(tmp_path).publish() == tmp_path / "day10"


def test_spans_by_date_are_refused(tmp_path: Path) -> None:
    (tmp_path / "2026-11-20").mkdir()
    with pytest.raises(BadInput, match="named by date"):
        EventLog(tmp_path)


def test_a_torn_line_is_no_event(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    write(log, event(1))
    with open(tmp_path / LOGS / "000001.jsonl", "ab") as file:
        file.write(to_line(event(2))[:-1])  # whole but for its end
    assert read(log) == read(EventLog(tmp_path)) == [event(1)]
    write(log, event(3))
    assert read(log) == [event(3)]
    assert log.publish()
    assert spans(tmp_path) == {"span-1": ["u,m1,4,1001", "u,m3,4,1003"]}
    assert log.lost == 0


def test_what_cannot_be_read_is_counted(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    (tmp_path / LOGS / "000001.jsonl").write_bytes(b"\0\0\n[]\n" + to_line(event(1)))
    assert read(log) == [event(1)]
    assert log.lost == 2


@pytest.mark.parametrize("step", ["mkdir", "rename"])
def test_a_span_that_was_begun_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A process dies before each step of making a span."""
    write(EventLog(tmp_path), event(1), event(2))
    original = getattr(Path, step)
    for dies_at in range(3):
        calls = 0

        def fail(path: Path, *arguments: object, dies_at: int = dies_at, **named: object) -> None:
            nonlocal calls
            calls += 1
            if calls > dies_at and not named:
                raise KeyboardInterrupt
            original(path, *arguments, **named)

        with monkeypatch.context() as patch:
            patch.setattr(Path, step, fail)
            try:
                EventLog(tmp_path).publish()
            except KeyboardInterrupt:
                continue
    write(EventLog(tmp_path), event(3))
    EventLog(tmp_path).publish()
    rows = [row for span in spans(tmp_path).values() for row in span]
    assert rows == ["u,m1,4,1001", "u,m2,4,1002", "u,m3,4,1003"]


def test_a_user_is_forgotten_everywhere(tmp_path: Path) -> None:
    log, other = EventLog(tmp_path), EventLog(tmp_path)
    write(log, event(1, "a"), event(2, "b"))
    log.publish()
    write(log, event(3, "a"))
    log.publish()
    read(other)
    write(log, event(4, "a"), event(5, "b"), event(6, "a", trains=False))
    assert log.forget("a") == 4
    assert Forgotten("a") in read(other)
    assert spans(tmp_path) == {"span-1": ["b,m2,4,1002"], "span-3": ["b,m5,4,1005"]}
    kept = [entry for entry in read(EventLog(tmp_path)) if isinstance(entry, Event)]
    assert kept == [event(2, "b"), event(5, "b")]
    write(log, event(7, "a"))
    assert [e for e in read(other) if isinstance(e, Event) and e.user_id == "a"] == [event(7, "a")]


def test_old_logs_are_emptied_and_their_spans_stay(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    write(log, event(1, "a"), event(2, "b"))
    log.publish()
    log.prune(time.time() - 60)
    assert len(read(EventLog(tmp_path))) == 2
    log.prune(time.time() + 60)
    assert read(EventLog(tmp_path)) == []
    log.forget("a")
    assert spans(tmp_path) == {"span-1": ["b,m2,4,1002"]}


WRITER = """
import sys
from pathlib import Path
from reelflow.data.event_lines import Event
from reelflow.data.event_log import EventLog
log, name = EventLog(Path(sys.argv[1])), sys.argv[2]
number = 0
while True:
    events = [Event(f"{name}-{number + i}", name, f"m{number + i}", "rating", 4.0, True, number)
              for i in range(3)]
    with log.locked():
        log.append(events)
    number += 3
    print(number, flush=True)
    if number % 30 == 0:
        log.publish()
"""


def test_nothing_acknowledged_is_lost_when_writers_are_killed(tmp_path: Path) -> None:
    acknowledged = {}
    writers = {
        name: subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), name], stdout=subprocess.PIPE, text=True
        )
        for name in ("a", "b", "c")
    }
    for count, (name, writer) in zip((20, 30, 45), writers.items(), strict=True):
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(count)]
        writer.send_signal(signal.SIGKILL)
        said += writer.stdout.readlines()
        writer.wait()
        writer.stdout.close()
        acknowledged[name] = int(said[-1])
    EventLog(tmp_path).publish()
    rows = {tuple(row.split(",")[:2]) for span in spans(tmp_path).values() for row in span}
    for name, number in acknowledged.items():
        assert {(name, f"m{i}") for i in range(number)} <= rows
        assert len({row for row in rows if row[0] == name}) <= number + 3
    log = EventLog(tmp_path)
    found = {entry.event_id for entry in read(log) if isinstance(entry, Event)}
    assert {f"{name}-{i}" for name, count in acknowledged.items() for i in range(count)} <= found
    assert log.lost == 0


def test_a_run_begins_with_the_events_that_wait(tmp_path: Path) -> None:
    base = tmp_path / "ratings" / "span-1"
    base.mkdir(parents=True)
    rows = "".join(f"u{user},m{movie},4,1\n" for user in range(9) for movie in range(9))
    (base / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" + rows)
    folder, layout = tmp_path / "ratings", Layout.of(tmp_path / "out")
    without = effective_config(layout, data=folder, overrides=["data.span=latest"])
    assert without.data_gate.rows_min > 0
    write(EventLog(folder), event(1))
    taken = effective_config(layout, data=folder, overrides=["data.span=latest"])
    assert (taken.data.path, taken.data_gate.rows_min) == (f"{folder}/span-{{SPAN}}", 0)
    assert [*spans(folder)] == ["span-1", "span-2"]
    write(EventLog(folder), event(2))
    asked = ["data_gate.rows_min=0.2"]
    kept = effective_config(layout, data=f"{folder}/span-{{SPAN}}", overrides=asked)
    assert kept.data_gate.rows_min == 0.2
    assert [*spans(folder)] == ["span-1", "span-2", "span-3"]
