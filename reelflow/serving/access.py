"""Admission of requests: Host names against DNS rebinding, API keys with scopes, browsers' origins.

A key is 256 random bits, so that its plain SHA-256 can be kept: it cannot be guessed, and no
request waits for a slow hash.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, cast, get_args
from urllib.parse import urlsplit

from starlette.types import Scope

from reelflow.base.errors import BadInput
from reelflow.serving.limits import Problem

Right = Literal["read", "events", "admin"]
"""Scope of a key: to ask; to send events and to delete them; everything, metrics included."""
RIGHTS: Final[tuple[Right, ...]] = get_args(Right)
VARIABLE: Final = "REELFLOW_API_KEYS"
"""Environment variable with the lines of a file of keys, separated by white space."""
LIVENESS: Final = frozenset({"/api/v1/health", "/api/v1/ready"})
"""Answered without a key, and while connections are full."""
_OPEN: Final = frozenset({*LIVENESS, "/", "/docs", "/openapi.json"})
_LOOPBACK: Final = ("localhost", "*.localhost")
_LINE: Final = re.compile(r"([\w.-]+):([a-z,]+):([0-9a-f]{64})")
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[\w.-]+)(?::\d+)?")
_REMEDY: Final = "`reelflow key NAME` makes a key and its line: NAME:SCOPE[,SCOPE]:SHA256."


@dataclass(frozen=True)
class Key:
    """A key as the server knows it."""

    name: str
    """Of the client, for logs and limits."""
    rights: frozenset[Right]
    sha256: str
    """Of the key's text, in hexadecimal digits."""

    @classmethod
    def make(cls, name: str, rights: Iterable[Right]) -> tuple[str, Key]:
        """Return a new key's text, which is kept nowhere, and what the server keeps of it."""
        text = f"rf_{secrets.token_urlsafe(32)}"
        return text, cls(name, frozenset(rights), _sha256(text))

    @classmethod
    def parse(cls, line: str) -> Key:
        """Read the line of a key.

        Raises:
            BadInput: it is none.
        """
        match = _LINE.fullmatch(line)
        rights = match[2].split(",") if match else []
        if match is None or not set(rights) <= set(RIGHTS):
            raise BadInput(f"{line[:40]!r} is no API key's line.", _REMEDY)
        return cls(match[1], frozenset(cast(list[Right], rights)), match[3])

    def __str__(self) -> str:
        """The line of a file of keys."""
        return f"{self.name}:{','.join(sorted(self.rights))}:{self.sha256}"


def read_keys(text: str, source: str) -> tuple[Key, ...]:
    """Read lines of keys; what follows a `#` is a comment.

    Args:
        text: lines, or words separated by white space.
        source: the file or variable that they come from, for messages.

    Raises:
        BadInput: a line is wrong, or there is none.
    """
    keys = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            keys += [Key.parse(word) for word in line.partition("#")[0].split()]
        except BadInput as error:
            raise BadInput(f"{source}:{number}: {error.message}", error.remedy) from error
    if not keys:
        raise BadInput(f"{source} has no API key.", _REMEDY)
    return tuple(keys)


@dataclass(frozen=True)
class Access:
    """Rules of admission of one server."""

    keys: Sequence[Key] = ()
    """Without any, no key is asked for."""
    hosts: Sequence[str] | None = None
    """Names that the Host header may have beside addresses, `*.` for all below a name; None for any
    name. An address is always right: a rebound name is sent as a name."""
    origins: Sequence[str] = ()
    """Origins whose pages may ask from a browser (CORS), as `https://shop.example`; `*` for all."""

    @classmethod
    def on(
        cls,
        host: str,
        *,
        keys: str | None,
        key_file: Path | None,
        hosts: Sequence[str],
        origins: Sequence[str],
        without_keys: bool = False,
    ) -> Access:
        """Return the rules of a server on an address.

        Args:
            host: name or address that is listened on.
            keys: content of the environment variable.
            key_file: file of keys; None for no file.
            hosts: further names of the server.
            origins: origins of browsers' pages.
            without_keys: True if all who reach the server may ask it.

        Raises:
            BadInput: a key, a file or an origin is wrong, or the server can be reached by others
                and has no key.
        """
        found: tuple[Key, ...] = ()
        if key_file is not None:
            try:
                found = read_keys(key_file.read_text(encoding="utf-8"), str(key_file))
            except (OSError, UnicodeDecodeError) as error:
                raise BadInput(f"{key_file} cannot be read: {error}.", _REMEDY) from error
        if keys:
            found += read_keys(keys, VARIABLE)
        if not (found or without_keys or is_loopback(host)):
            raise BadInput(
                f"Others can reach {host}, and there is no API key.",
                f"Name keys by --keys or {VARIABLE} (`reelflow key NAME` makes one), or say "
                "--without-keys where something in front of the server knows its callers.",
            )
        for origin in origins:
            parts = urlsplit(origin)
            if origin != "*" and f"{parts.scheme}://{parts.netloc}" != origin:
                raise BadInput(f"{origin!r} is no origin.", "Write it as https://shop.example.")
        names = None if "*" in hosts else (*_LOOPBACK, host.lower(), *map(str.lower, hosts))
        return cls(found, names, tuple(origins))

    def admit(self, scope: Scope, path: str) -> str:
        """Return the client's name: that of its key, or else its address.

        Args:
            scope: the request's ASGI scope.
            path: without the root path.

        Raises:
            Problem: 421 for a strange Host, 401 for a missing or unknown key, 403 for one without
                the scope that the path needs.
        """
        headers = dict(scope["headers"])
        self._check_host(headers.get(b"host", b"").decode("latin-1"))
        address = scope["client"][0] if scope.get("client") else "unknown"
        needed = right_for(scope["method"], path)
        if not self.keys or needed is None:
            return address
        key = self._key(presented(headers))
        if key is None:
            raise Problem(
                401,
                "An API key is wanted, as `Authorization: Bearer KEY` or `X-API-Key: KEY`.",
                {"WWW-Authenticate": "Bearer"},
            )
        if needed not in key.rights and "admin" not in key.rights:
            raise Problem(403, f"The key {key.name} lacks the scope {needed}.")
        return key.name

    def _check_host(self, header: str) -> None:
        if self.hosts is None:
            return
        match = _HOST.fullmatch(header.lower())
        name = match[1].strip("[]") if match else ""
        if not (_is_address(name) or any(_fits(name, one) for one in self.hosts)):
            raise Problem(421, "This server has another name: see --allow-host.")

    def _key(self, text: str) -> Key | None:
        """Return the key of that text; the time tells nothing of the keys that there are."""
        sha256, found = _sha256(text), None
        for key in self.keys:
            if hmac.compare_digest(key.sha256, sha256):
                found = key
        return found


def right_for(method: str, path: str) -> Right | None:
    """Return the scope that a request needs, None for none; a path not known here needs `read`."""
    # What a page's <img> asks for comes without a key.
    if path in _OPEN or path.startswith(("/page/", "/posters/")):
        return None
    if path == "/metrics" or path.startswith("/api/v1/admin"):
        return "admin"
    if path.startswith("/api/v1/events") or method in ("DELETE", "PATCH", "PUT"):
        return "events"
    return "read"


def presented(headers: dict[bytes, bytes]) -> str:
    """Return the key that a request's headers hold; empty if none."""
    scheme, _, bearer = headers.get(b"authorization", b"").partition(b" ")
    key = bearer.strip() if scheme.lower() == b"bearer" else headers.get(b"x-api-key", b"")
    return key.decode("latin-1")


def is_loopback(host: str) -> bool:
    """Return True if only this machine can reach a server on a name or address."""
    return ipaddress.ip_address(host).is_loopback if _is_address(host) else host == "localhost"


@lru_cache(1_024)  # of Host headers, which hardly differ
def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _fits(name: str, pattern: str) -> bool:
    return name.endswith(pattern[1:]) if pattern.startswith("*.") else name == pattern


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
