"""docs/routes.md says of verification and handshakes what they are: no key, scheme or preset is missing."""

import re
from itertools import dropwhile, takewhile

import pytest
from pydantic import BaseModel

from gateway.config.handshake_shapes import HandshakePreset, HandshakeShape, RespondShape
from gateway.config.handshakes import handshake_presets
from gateway.config.shapes import SourceShape
from gateway.config.verify_shapes import (
    SCHEMES,
    IdShape,
    JwsVerify,
    PresetVerify,
    SignatureShape,
    SignedVerify,
    TimestampShape,
)
from gateway.core.model import SECOND
from gateway.core.schemes import httpsig, jws
from gateway.core.schemes.template import PLACEHOLDERS
from tests.test_docs import ROOT
from tests.test_docs_examples import cells

LINES = (ROOT / "docs/routes.md").read_text(encoding="utf-8").splitlines()


def table_after(words: str, skip: int = 0) -> list[list[str]]:
    """The rows of the first table after the line that begins with these words, or of a later one."""
    rest = list(dropwhile(lambda line: not line.startswith(words), LINES))
    assert rest, f"routes.md has no line that begins with {words}"
    for _ in range(skip + 1):
        rest = list(dropwhile(lambda line: not line.startswith("|"), rest))
        table = list(takewhile(lambda line: line.startswith("|"), rest))
        rest = rest[len(table) :]
    return [cells(line) for line in table[2:]]


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def first_column(rows: list[list[str]]) -> list[str]:
    return [name for row in rows for name in named(row[0])]


def keys(shape: type[BaseModel], prefix: str = "") -> set[str]:
    """The keys of a shape, as they are written."""
    return {f"{prefix}{field.alias or name}" for name, field in shape.model_fields.items()}


SIGNATURES = "**Signatures over a template**"


def test_every_key_of_a_source_is_there():
    assert set(first_column(table_after("A source is a named place"))) == keys(SourceShape)


def test_every_scheme_is_there():
    assert sorted(first_column(table_after("**A scheme**"))) == sorted(SCHEMES)


def test_every_key_of_a_preset_is_there():
    assert set(first_column(table_after("**A preset**"))) == keys(PresetVerify)


def test_every_key_of_a_signature_is_there():
    parts = {"signature": SignatureShape, "timestamp": TimestampShape, "id": IdShape}
    whole = keys(SignedVerify) - {"scheme", *parts}
    for name, shape in parts.items():
        whole |= keys(shape, f"{name}.")
    # `headers` stands in the row of `header`, which it may replace.
    assert set(first_column(table_after(SIGNATURES))) == whole - {"signature.headers"}


@pytest.mark.parametrize("row", table_after(SIGNATURES), ids=lambda row: row[0])
def test_the_default_of_a_key_of_a_signature_is_true(row):
    shapes = {"signature": SignatureShape, "timestamp": TimestampShape, "id": IdShape}
    part, _, name = row[0].strip("`").rpartition(".")
    default = shapes.get(part, SignedVerify).model_fields[name].default
    written = named(row[1])
    if isinstance(default, int):
        assert written == [f"{default // SECOND}s"]
    elif isinstance(default, str) and default:
        assert written == [default]
    else:
        # The other words in code say what the default depends on, or stands for.
        assert not written or name in {"secrets", "secret_encoding", "url_variants", "future"}


def test_every_placeholder_is_there():
    assert set(first_column(table_after("`signed` is text with"))) == set(PLACEHOLDERS)


def test_every_algorithm_of_message_signatures_is_there():
    rows = table_after("A secret is `ALGORITHM:KEY`")
    assert sorted(first_column(rows)) == sorted(httpsig.ALGORITHMS)


def test_every_key_and_algorithm_of_a_jws_is_there():
    rows = table_after("**A detached JWS**")
    assert set(first_column(rows)) == keys(JwsVerify) - {"scheme"}
    (algorithms,) = [row[2] for row in rows if row[0] == "`algs`"]
    assert set(named(algorithms)) - {"none"} == set(jws.ALGORITHMS)


def test_every_handshake_is_there_with_its_method_and_its_proof():
    told = {named(row[0])[0]: (named(row[2])[0], row[3]) for row in table_after("### Handshakes")}
    proofs = {"source": "the source's `verify`", "none": "nothing"}
    known = {}
    for name, preset in handshake_presets().items():
        verify = preset.get("verify", "source")
        own = "a token of its own: `secrets`"
        proof = own if isinstance(verify, dict) else proofs[verify]
        known[name] = (preset.get("method", "POST"), proof)
    assert told == known


def test_every_key_of_a_handshake_is_there():
    whole = keys(HandshakeShape) | keys(HandshakePreset) - {"secrets", "respond"}
    whole = whole - {"respond"} | keys(RespondShape, "respond.")
    assert set(first_column(table_after("### Handshakes", skip=1))) == whole
