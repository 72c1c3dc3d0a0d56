"""A routes file read for its routing alone: its secrets, variables, handlers and settings are not at hand.

Everything else about it is checked as always: what is found is wrong wherever it is read.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from gateway.config.files import given_files
from gateway.config.part import Surroundings
from gateway.config.routes import Loaded, load_files, load_routes
from gateway.config.secrets import Kind, SecretBook
from gateway.config.shape import SecretReference
from gateway.core.egress import EgressPolicy
from gateway.core.signing import format_key

Progress: TypeAlias = Callable[[str, int, int], None]

SOME_KEY = format_key(bytes(32))
SOME_TEXT = "00" * 32
"""A secret in each encoding that one may have: text, hex, base64."""
SOME_URL = "https://stand-in.invalid/"


class _Everything(Mapping[str, str]):
    """An environment in which every variable is set, to a URL."""

    def __getitem__(self, name: str) -> str:
        return SOME_URL

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class _MadeUp(SecretBook):
    """Has a secret for every reference; reads and writes nothing."""

    at_hand = False

    def look_up(self, reference: SecretReference, base: Path, kind: Kind) -> str:  # noqa: ARG002
        return SOME_KEY if kind == "signing-key" else SOME_TEXT


def _anywhere(progress: Progress | None) -> Surroundings:
    around = Surroundings(
        secrets=_MadeUp(_Everything()),
        egress=EgressPolicy(),
        find_handler=lambda _name, _arguments: "",
        public_url=SOME_URL.rstrip("/"),
    )
    return around if progress is None else replace(around, progress=progress)


def load_leniently(path: Path, progress: Progress | None = None) -> Loaded:
    """The routes file at *path*, and those that it includes; *progress* as in `Surroundings`."""
    return load_routes(path, _anywhere(progress))


def load_given(texts: Sequence[tuple[str, bytes]], progress: Progress | None = None) -> Loaded:
    """The routes file whose text is the first, and those that it includes, which are the others."""
    around = _anywhere(progress)
    return load_files(given_files(texts, around), around)
