"""Places of movies with few or no ratings, learned from the words of those that have many.

A map from what a movie is called to the embedding that its ratings have taught (Gantner et al.
2010, "Learning attribute-to-feature mappings for cold-start recommendations"), here a ridge
regression in closed form on hashed n-grams (Weinberger et al. 2009, "Feature hashing for large
scale multitask learning"). Training is left as it is, and an export holds the vectors alone.
"""

from __future__ import annotations

import re
import zlib
from array import array
from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from reelflow.encoding.encoded import EncodedCatalogue, EncodedData, Float32, Tokens
from reelflow.model.layers import blocks

RIDGE: Final = 5.0
"""L2 of the regression."""
SURE: Final = 5.0
"""Ratings at which a movie's embedding counts half in the regression."""
FEW: Final = 3
"""Ratings of a movie up to which its words count at all."""
PRIOR: Final = 1.0
"""Ratings that the place by words stands for beside a movie's own few."""
CHARACTERS: Final = 4
"""Length of the n-grams of characters, the ends of a word among them."""
_WORD: Final = re.compile(r"\w+")
_YEAR: Final = re.compile(r"\s*\(\d{4}\)\s*$")


class MovieWords:
    """Hashed n-grams of every movie, and the regression of embeddings on them."""

    def __init__(self, data: EncodedData, features: Tokens | None, buckets: int) -> None:
        """Count n-grams.

        Args:
            data: titles, genres and years of the movies, and the train ratings.
            features: of the movies, if they are to be among the words.
            buckets: numbers that n-grams are hashed to.
        """
        self._counts = data.rating_counts
        self._sure = self._counts / (self._counts + SURE)
        self._table = _weighted(_hashed(data.catalogue, features, buckets), self._counts > 0)
        self._factor: Any = None

    def place(self, embeddings: Float32) -> Float32:
        """Return embeddings, those of movies with few ratings drawn to where their words are.

        Args:
            embeddings: of each movie, apart from what genres, year and features add, float32
                [movies, size]; movies without ratings have none that counts.

        Returns:
            float32 [movies, size]; of a movie without ratings what its words predict, 0 without a
            word that at least two rated movies share.
        """
        movies = len(embeddings)
        rated = sum(
            self._table[rows].T @ (self._sure[rows, None] * self._own(embeddings, rows))
            for rows in blocks(movies)
        )
        if self._factor is None:
            gram = (self._table.T @ sparse.diags(self._sure) @ self._table).toarray()
            gram[np.diag_indices_from(gram)] += RIDGE
            self._factor = cho_factor(gram.astype(np.float32), overwrite_a=True)
        of_words = cho_solve(self._factor, rated.astype(np.float32))
        few = self._counts <= FEW
        shares = np.where(few, self._counts / (self._counts + PRIOR), 1.0)[:, None]
        placed = np.empty_like(embeddings)
        for rows in blocks(movies):
            share, predicted = shares[rows], self._table[rows] @ of_words
            placed[rows] = share * self._own(embeddings, rows) + (1.0 - share) * predicted
        return placed

    def _own(self, embeddings: Float32, rows: slice) -> Float32:
        own: Float32 = (self._counts[rows] > 0)[:, None] * embeddings[rows]
        return own


def n_grams(title: str, genres: list[str], year: int | None, features: list[str]) -> Iterator[str]:
    """Yield what a movie is called: words, pairs of neighbours, parts of words, genres by two.

    Args:
        title: as it is shown; a year at its end is left out.
        genres: in any order.
        year: of release, None if unknown.
        features: declared ones, `name=value`.
    """
    words = _WORD.findall(_YEAR.sub("", title).lower())
    yield from _of_words("title", words)
    genres = sorted(genres)
    yield from (f"genre {genre}" for genre in genres)
    yield from (f"genres {first}, {second}" for first, second in combinations(genres, 2))
    if year is not None:
        yield f"years {year // 5}"
        yield from (f"genre {genre}, decade {year // 10}" for genre in genres)
    for feature in features:
        name, _, value = feature.partition("=")
        yield f"feature {feature}"
        yield from _of_words(name, _WORD.findall(value.lower()))


def _of_words(name: str, words: list[str]) -> Iterator[str]:
    for word in words:
        yield f"{name} {word}"
        framed = f"<{word}>"
        for start in range(max(1, len(framed) - CHARACTERS + 1)):
            yield f"part {framed[start : start + CHARACTERS]}"
    for first, second in pairwise(words):
        yield f"{name} {first} {second}"


def _hashed(
    catalogue: EncodedCatalogue, features: Tokens | None, buckets: int
) -> sparse.csr_matrix:
    """Return 1 where a movie has an n-gram of a bucket, [movies, buckets]."""
    words: list[list[str]] = [[] for _ in range(len(catalogue))]
    if features is not None:
        for movie, word in zip(features.owners.tolist(), features.indices.tolist(), strict=True):
            words[movie].append(features.words[word])
    counts = np.zeros(len(catalogue) + 1, np.int64)
    columns = array("i")  # of a million movies, numbers of Python's own would take gigabytes
    called = zip(catalogue.title, catalogue.genres, catalogue.year, words, strict=True)
    for movie, parts in enumerate(called):
        # Not `hash`, which differs from process to process.
        distinct = {zlib.crc32(gram.encode()) % buckets for gram in n_grams(*parts)}
        counts[movie + 1] = len(distinct)
        columns.extend(sorted(distinct))
    ones = np.ones(len(columns), np.float32)
    indices = np.array(columns, np.int32)
    return sparse.csr_matrix((ones, indices, np.cumsum(counts)), (len(catalogue), buckets))


def _weighted(table: sparse.csr_matrix, rated: npt.NDArray[np.bool_]) -> sparse.csr_matrix:
    """Return the columns of at least two rated movies, the rarer the heavier, rows of length 1."""
    shared = np.asarray(table[np.flatnonzero(rated)].sum(axis=0)).ravel()
    kept = np.flatnonzero(shared >= 2)
    rarity = np.log(rated.sum() / shared[kept]) + 0.5
    table = table[:, kept].tocsr()
    table.data *= rarity.astype(np.float32)[table.indices]
    rows = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))
    lengths = np.sqrt(np.bincount(rows, table.data.astype(np.float64) ** 2, table.shape[0]))
    table.data /= np.maximum(lengths, 1e-9).astype(np.float32)[rows]
    return table
