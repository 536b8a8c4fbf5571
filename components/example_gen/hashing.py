"""Stable 64-bit hashes: the same on every machine and in every version."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes = npt.NDArray[np.uint64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)


def mix(value: Hashes) -> Hashes:
    """The step of splitmix64 (Steele, Lea and Flood, 2014), element by element; uint64 [n]."""
    mixed = value + _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), np.uint64)


def combine(first: Hashes, second: Hashes) -> Hashes:
    """Hash of a pair of hashes, in which the order matters; uint64 [n]."""
    return mix(mix(first) ^ second)


def seeded(seed: int) -> Hashes:
    """Hash of a seed, uint64 [1]."""
    return mix(np.array([seed % 2**64], np.uint64))


def hash_strings(strings: pa.Array) -> Hashes:
    """Hash the UTF-8 bytes of strings, eight bytes of all of them at a time.

    Args:
        strings: string array without nulls [n]; give distinct values only, and spread the hashes.

    Returns:
        uint64 [n].
    """
    count = len(strings)
    if not count:
        return np.zeros(0, np.uint64)
    _, offset_buffer, data_buffer = strings.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32)[strings.offset : strings.offset + count + 1]
    starts, lengths = offsets[:-1].astype(np.int64), np.diff(offsets)
    content = np.frombuffer(b"" if data_buffer is None else data_buffer, np.uint8)
    padded = np.concatenate([content, np.zeros(8, np.uint8)])
    hashes = mix(lengths.astype(np.uint64))
    for at in range(0, int(lengths.max()), 8):
        rows = np.flatnonzero(lengths > at)
        window = padded[(starts[rows] + at)[:, None] + np.arange(8)]
        window[np.arange(8) >= (lengths[rows] - at)[:, None]] = 0
        word = window.astype("<u8") << (np.arange(8, dtype=np.uint64) * np.uint64(8))
        hashes[rows] = combine(hashes[rows], np.bitwise_or.reduce(word, axis=1))
    return hashes


def unit_interval(hashes: Hashes) -> npt.NDArray[np.float64]:
    """Hashes as numbers from 0 to below 1, float64 [n]."""
    return (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53
