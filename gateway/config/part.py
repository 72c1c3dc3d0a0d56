"""A part of a routes file on its way to a core value: its place, and what is wrong with it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import TypeVar

from gateway.config.document import Document, Path, Place
from gateway.config.expressions import ExpressionInvalid, Expressions
from gateway.config.secrets import Kind, SecretBook, SecretMissing
from gateway.config.shape import SecretReference
from gateway.core.computed import Compute
from gateway.core.egress import EgressPolicy
from gateway.core.errors import Problem
from gateway.core.model import Json, Micros
from gateway.core.secret import Key

Decoded = TypeVar("Decoded")


def _none(_endpoint: str) -> str:
    return ""


def _untold(_what: str, _done: int, _total: int) -> None:
    """Nobody wants to know how far it has come."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a routes file is checked against."""

    secrets: SecretBook
    egress: EgressPolicy
    find_handler: Callable[[str, tuple[str, ...] | None], str]
    """Given `module:function`: why there is no such handler, or nothing; given the names of keyword
    arguments too, why it cannot be called with them."""
    public_url: str = ""
    """Under which senders reach the gateway; empty: not known."""
    trusts_proxies: bool = False
    """Whether there are proxies whose word on a request's sender is taken."""
    stand_in: Callable[[str], str] = _none
    """Given an endpoint's name: the URL to use instead of its own, or nothing."""
    progress: Callable[[str, int, int], None] = _untold
    """Told what is being done, and how much of it has been: many routes take many seconds."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the file. All parts of a file share one list of problems."""

    document: Document
    base: FilePath
    """The folder that relative paths start from."""
    around: Surroundings
    path: Path = ()
    problems: list[Problem] = field(default_factory=list)

    def at(self, *steps: str | int) -> "Part":
        """The part below."""
        return Part(self.document, self.base, self.around, (*self.path, *steps), self.problems)

    def place(self) -> Place:
        """Where it stands."""
        return self.document.place(self.path)

    def fault(self, code: str, what: str, cure: str, *, key: bool = False) -> None:
        """Note an error with this part (or with its key)."""
        self.problems.append(self.document.problem(self.path, code, what, cure, key=key))

    def warning(self, code: str, what: str, cure: str) -> None:
        """Note something that does not keep the file from being used."""
        problem = self.document.problem(self.path, code, what, cure)
        self.problems.append(replace(problem, severity="warning"))

    def secret(self, reference: SecretReference, kind: Kind = "text") -> str | None:
        """The secret that is referred to here; None where it is missing, which is noted."""
        try:
            return self.around.secrets.look_up(reference, self.base, kind)
        except SecretMissing as missing:
            self.fault(missing.code, missing.what, missing.cure)
            return None

    def keys(
        self,
        references: Sequence[SecretReference],
        kind: Kind,
        decode: Callable[[str], bytes],
        form: str,
    ) -> tuple[Key, ...]:
        """The keys that a list of references leads to, decoded; what is wrong with one is noted."""
        found = self.decoded(references, kind, decode, form)
        return tuple(Key(material, until) for material, until in found)

    def decoded(
        self,
        references: Sequence[SecretReference],
        kind: Kind,
        decode: Callable[[str], Decoded],
        form: str,
    ) -> Iterator[tuple[Decoded, Micros | None]]:
        """What each reference of a list leads to, decoded, with its `until`; what is wrong is noted."""
        for i, reference in enumerate(references):
            part = self.at(i)
            text = part.secret(reference, kind)
            if text is None:
                continue
            try:
                found = decode(text)
                if not found:
                    raise ValueError("it is empty")  # noqa: TRY301  # as what cannot be decoded
            except ValueError as error:
                part.fault(
                    "secret-form", f"the secret is no {form}: {error}", f"replace it by a {form}"
                )
                continue
            yield found, reference.until

    def condition(self, source: str, expressions: Expressions) -> Compute | None:
        """A compiled `when`; None where it does not compile, which is noted."""
        try:
            return expressions.condition(source)
        except ExpressionInvalid as error:
            self.fault("expression", error.what, error.cure)
            return None

    def compute(self, template: Json, expressions: Expressions) -> Compute | None:
        """A compiled `${…}` value; None where it does not compile, which is noted."""
        try:
            return expressions.template(template)
        except ExpressionInvalid as error:
            self.fault("expression", error.what, error.cure)
            return None
