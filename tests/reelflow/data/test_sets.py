"""The table of public sets: each can be downloaded, checked where possible, and read."""

from __future__ import annotations

import re

import pytest

from reelflow.config.loading import bundled_names, load
from reelflow.data.sets import NAMES, PUBLIC_SETS, PublicSet, licence_notice


@pytest.fixture(params=PUBLIC_SETS)
def public(request: pytest.FixtureRequest) -> PublicSet:
    return PUBLIC_SETS[request.param]


def test_every_set_says_what_its_publisher_asks(public: PublicSet) -> None:
    notice = licence_notice(public.name)
    assert "Cite:" in notice
    assert public.page in notice
    assert public.publisher in notice


def test_addresses_and_checksums_are_well_formed(public: PublicSet) -> None:
    for file in public.files:
        assert re.fullmatch(r"https?://[\w./~-]+", file.url)
        assert file.checksum is None or re.fullmatch(
            r"md5:[0-9a-f]{32}|git:[0-9a-f]{40}", file.checksum
        )
    # Files that are unpacked come alone.
    assert len(public.files) == 1 or not any(f.name.endswith(".zip") for f in public.files)


def test_each_set_has_a_bundled_configuration(public: PublicSet) -> None:
    assert public.config in bundled_names()
    load(public.config)


def test_names_and_conditions() -> None:
    assert {*PUBLIC_SETS, "netflix"} == set(NAMES)
    assert "needs permission from GroupLens. It comes" in licence_notice("movielens-1m")
    assert "under the same conditions" in licence_notice("movielens-25m")
    assert "Attribution-ShareAlike" in licence_notice("goodbooks-10k")


def test_the_check_of_a_download_is_named_as_it_is() -> None:
    assert PUBLIC_SETS["movielens-1m"].checked_by == "MD5"
    assert PUBLIC_SETS["movielens-32m"].checked_by == "MD5"
    assert PUBLIC_SETS["goodbooks-10k"].checked_by == "SHA-1"
    assert PUBLIC_SETS["jester"].checked_by == "CRC"
    assert PUBLIC_SETS["movietweetings"].checked_by == "length"
