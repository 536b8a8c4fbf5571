"""Hashes are those of before, or last month's test rows would become this month's train rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from reelflow.data.ingest.partition import combine, hash_strings, mix, seeded, unit_interval


def test_mix_is_splitmix64() -> None:
    # The first outputs of the reference implementation, seeded with 0 and with 1.
    assert mix(np.array([0, 1], np.uint64)).tolist() == [0xE220A8397B1DCDAF, 0x910A2DEC89025CC1]


def test_strings_have_stable_hashes() -> None:
    strings = pa.array(["", "1", "12345678", "123456789", "Zoë"])
    assert [f"{value:016x}" for value in hash_strings(strings).tolist()] == [
        "e220a8397b1dcdaf",
        "73af0a8167a25c39",
        "80e9b4059c19627a",
        "8c0373674b2fcb49",
        "4039545e948b9ddf",
    ]


def test_a_string_hashes_the_same_beside_others() -> None:
    strings = pa.array(["a", "b" * 50, "", "abcdefgh", "abcdefgh\0", "a\0"])
    alone = [hash_strings(pa.array([text.as_py()]))[0] for text in strings]

    assert hash_strings(strings).tolist() == alone
    assert hash_strings(strings.slice(2, 3)).tolist() == alone[2:5]
    assert len(set(alone)) == 6


def test_hashes_are_even() -> None:
    hashes = hash_strings(pa.array([str(i) for i in range(20_000)]))
    shares = unit_interval(combine(np.broadcast_to(seeded(42), hashes.shape), hashes))

    assert len(np.unique(hashes)) == 20_000
    assert np.abs(np.histogram(shares, 10, (0, 1))[0] / 2_000 - 1).max() < 0.1
    assert shares.min() >= 0
    assert shares.max() < 1


def test_order_of_a_pair_matters() -> None:
    one, two = hash_strings(pa.array(["1"])), hash_strings(pa.array(["2"]))
    assert combine(one, two) != combine(two, one)
