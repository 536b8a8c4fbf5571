"""Times are recognised, and read to the second, whatever stands beside them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest

from reelflow.data.times import read_times, recognise

NOON = 1_600_000_000  # 2020-09-13 12:26:40 UTC


def read(texts: list[str], form: str) -> list[int | None]:
    seconds, wrong = read_times(pa.array(texts, pa.string()), form)
    return [None if bad else int(at) for at, bad in zip(seconds, wrong, strict=True)]


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (["1600000000", ""], "s"),
        (["1600000000.0"], "s"),
        (["1600000000.75", "x"], "s"),
        (["1600000000123", "7"], "ms"),
        (["1600000000123456"], "us"),
        (["1600000000123456789"], "ns"),
        (["100", "2000"], "s"),
        (["2020-09-13"], "iso"),
        (["2020-09-13T12:26:40Z", "2020-09-13"], "iso"),
        (["20200913"], "%Y%m%d"),
        (["20200913122640"], "%Y%m%d%H%M%S"),
        (["20201399", "20200913"], "s"),  # numbers, and no dates
        (["13.09.2020"], "%d.%m.%Y"),
        (["09 13, 2020"], "%m %d, %Y"),
        (["01/02/2020", "09/13/2020"], "%m/%d/%Y"),
        (["01/02/2020", "13/09/2020 "], "%d/%m/%Y"),
        (["01/02/2020"], ""),
        (["Sun Sep 13 12:26:40 -0700 2020"], "%a %b %d %H:%M:%S %z %Y"),
        (["yesterday", "", "2020-09-13", "noon"], ""),
        (["", " "], "s"),
    ],
)
def test_forms_are_recognised(texts: list[str], form: str) -> None:
    assert recognise(texts) == form


@pytest.mark.parametrize(
    ("form", "texts", "expected"),
    [
        ("s", ["1600000000", "1600000000.9", "1600000000.", ".5", "-1.5"], [NOON] * 3 + [0, -2]),
        ("ms", ["1600000000999", "0", "-1"], [NOON, 0, -1]),
        ("ns", ["1600000000999999999", "9999999999999999999"], [NOON, None]),
        ("s", ["0x10", "1e9", "inf", "", "1.2.3", "--1", "1234567890123456789"], [None] * 7),
        ("%Y/%m/%d", ["2020/02/30", "2020/2/1", "2020/02/01"], [None, 1580515200, 1580515200]),
        (
            "%a %b %d %H:%M:%S %z %Y",
            ["Sun Sep 13 05:26:40 -0700 2020", "Sun Sep 13"],
            [NOON, None],
        ),
    ],
)
def test_seconds(form: str, texts: list[str], expected: list[int | None]) -> None:
    assert read(texts, form) == expected
    assert [read([text], form)[0] for text in texts] == expected


def test_iso_8601_as_the_standard_library_reads_it() -> None:
    rng = np.random.default_rng(1)
    texts, expected = [], []
    for at in rng.integers(-(2**31), 2**32, 2_000).tolist():
        zone = timezone(timedelta(minutes=int(rng.integers(-720, 720)))) if at % 3 else None
        moment = datetime.fromtimestamp(at, zone or timezone.utc)
        text = moment.replace(tzinfo=zone).isoformat(sep=" T"[at % 2])
        texts.append(text + ("Z" if zone is None and at % 5 == 0 else ""))
        expected.append(at)
    assert read(texts, "iso") == expected
    assert [read([text], "iso")[0] for text in texts[:200]] == expected[:200]


@pytest.mark.parametrize(
    "text",
    [
        *("2020-09-1", "2020-13-01", "2020-02-30", "2021-02-29", "2020-09-13T", "x", ""),
        *("2020-09-13 24:00:00", "2020-09-13 12", "2020-09-13 12:60", "2020-09-13 12:00:61"),
        *("2020-09-13 12:00:00.", "2020-09-13 12:00+25", "2020-09-13 12:00+1", "2020-09-13é"),
        *("2020-09-13 12:00:00 CET", "2020-09-13 12:00:00" + "0" * 40, "2020-09-13+01:"),
    ],
)
def test_what_is_no_iso_time(text: str) -> None:
    assert read([text], "iso") == [None]
    assert read([text, "2020-09-13 12:26:40"], "iso") == [None, NOON]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([NOON, None]), [NOON, None]),
        (pa.array([NOON * 1.0 + 0.5, float("nan")]), [NOON, None]),
        (pa.array([NOON, None], pa.timestamp("s")), [NOON, None]),
        (pa.array([NOON * 1000 + 999], pa.timestamp("ms", "Asia/Tokyo")), [NOON]),
        (pa.array([1], pa.date32()), [86_400]),
        (pa.array([1], pa.time32("s")), [None]),
    ],
)
def test_arrow_types(values: pa.Array, expected: list[int | None]) -> None:
    seconds, wrong = read_times(values, "s")
    found = [None if bad else int(at) for at, bad in zip(seconds, wrong, strict=True)]
    assert found == expected


def test_a_year_nought_is_the_same_alone_and_beside_others() -> None:
    assert read(["0000-01-01"], "iso") == read(["0000-01-01", "0000-01-01 00:00"], "iso")[:1]
