"""`gateway keys`: secrets to sign with, made, told of and replaced; and keys of encryption at rest."""

import contextlib
import os
import secrets as entropy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.completion import endpoint_names
from gateway.cli.exits import FIX
from gateway.cli.options import Routes, content_of
from gateway.cli.output import AsJson, console, print_json
from gateway.core.errors import Conflict, NotFound
from gateway.core.model import SECOND, Json

if TYPE_CHECKING:
    from gateway.config.endpoint_shapes import SignShape
    from gateway.config.part import Part
    from gateway.config.settings import Settings
    from gateway.config.shape import SecretReference

Out = Annotated[Path | None, typer.Option(metavar="FILE", help="Put it there, mode 600.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    keys = typer.Typer(help="Secrets to sign with.", no_args_is_help=True)
    for command in (new, public, rotate, encryption):
        keys.command()(command)
    app.add_typer(keys, name="keys")


def new(
    out: Out = None,
    ed25519: Annotated[
        bool, typer.Option("--ed25519", help="Make a key pair, whsk_…, and tell its public key.")
    ] = False,
) -> None:
    """Make a signing secret, whsec_…, of 32 random bytes."""
    from gateway.core.ed25519 import PrivateKey, format_private, format_public
    from gateway.core.signing import format_key

    seed = entropy.token_bytes(32)
    key = format_private(seed) if ed25519 else format_key(seed)
    if out is None:
        print(key)
    else:
        _write_new(out, key)
        _say(
            f"a new secret is in {out}: refer to it as {{file: {out}}} in a routes file of this folder,"
            " or by its path from the folder of the file that names it"
        )
    if ed25519:
        # Beside the key on standard output, it would end up in the key's file: `keys new > FILE`.
        told = f"its public key, for receivers: {format_public(PrivateKey(seed).public)}"
        print(told, file=sys.stderr if out is None else sys.stdout)


def encryption(
    out: Annotated[Path, typer.Option(metavar="FILE", help="Put it there, mode 600.")],
) -> None:
    """Make a key for encryption at rest. Without it nobody reads the database: keep a copy elsewhere."""
    from gateway.config.encryption import fresh_key

    _write_new(out, fresh_key())
    _say(
        f"a new key is in {out}: keep a copy elsewhere, and add --encryption-key {out};"
        " where there is a key already, name the old one after it: --encryption-key"
        f" {out} --encryption-key OLD"
    )


def public(
    file: Annotated[Path, typer.Argument(help="A file with a whsk_… key.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Tell the public key, whpk_…, of an ed25519 key; with --json also as a JSON Web Key."""
    from gateway.core.ed25519 import PrivateKey, format_public, json_web_key, parse_seed

    try:
        key = PrivateKey(parse_seed(content_of(file).decode())).public
    except ValueError as error:
        cure = "name a file that holds a whsk_… key"
        raise typer.BadParameter(f"{file} holds no ed25519 key: {error}; {cure}") from None
    if as_json:
        print_json({"public_key": format_public(key), "jwk": json_web_key(key)})
    else:
        print(format_public(key))


def _write_new(path: Path, key: str) -> None:
    """Put *key* into a file that is not there yet."""
    from gateway.config.private import write_private

    if path.exists():
        print(f"gateway: {path} is there already: name another with --out FILE", file=sys.stderr)
        raise typer.Exit(FIX)
    write_private(path, f"{key}\n".encode())


def _say(text: str) -> None:
    console().print(text, markup=False, soft_wrap=True)


# -- rotate --------------------------------------------------------------------------------------------


def rotate(
    endpoint: Annotated[str, typer.Argument(show_default=False, autocompletion=endpoint_names)],
    overlap: Annotated[
        str, typer.Option(metavar="DURATION", help="How long the present secrets go on signing.")
    ] = "24h",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The new secret's file; default: beside the present one."
        ),
    ] = None,
    ed25519: Annotated[
        bool | None,
        typer.Option(
            "--ed25519/--hmac",
            help="A key pair, whsk_…, or a shared secret, whsec_…; default: as the present one.",
            show_default=False,
        ),
    ] = None,
    routes: Routes = None,
    as_json: AsJson = False,
) -> None:
    """Make an endpoint's next signing secret, and tell what to write into the routes file.

    The routes file is not changed. The present secrets go on signing beside the new one for a while,
    where the form of the signature has room for several.
    """
    from gateway.config.quantities import parse_duration
    from gateway.config.settings import read_settings

    try:
        lasts = parse_duration(overlap)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    now = datetime.now(UTC)  # noqa: TID251  # when it was asked for
    settings = read_settings({"routes": routes})
    part, shape = _signed(endpoint, settings.routes)
    path = out or _beside(part, shape, f"{endpoint}-{now:%Y-%m-%d}")
    key, public_key = _next_secret(
        shape, lambda: _is_pair(part, shape.secrets[0], settings), pair=ed25519
    )
    _write_new(path, key)
    moment = round(now.timestamp()) * SECOND
    reference = str(path) if path.is_absolute() else os.path.relpath(path, part.base)
    stays = _of_other_kind(part, shape, settings, pair=public_key is not None)
    lines = _sign_lines(shape, reference, moment, moment + lasts, stays)
    if as_json:
        _print_as_json(endpoint, path, part, lines, public_key)
    else:
        _say(f"a new secret for {endpoint} is in {path}, mode 600")
        procedure = _procedure(together=lasts > 0, several=_has_room(shape))
        _print_steps(procedure, endpoint, part, lines, public_key or f"cat {path}")


def _signed(endpoint: str, file: Path) -> "tuple[Part, SignShape]":
    """The part of the routes file that names *endpoint*, and its `sign`, read without its secrets."""
    from gateway.config.endpoint_shapes import EndpointShape, SignShape
    from gateway.config.faults import shaped
    from gateway.config.lenient import load_leniently
    from gateway.config.nearest import nearest
    from gateway.core.errors import ConfigError

    loaded = load_leniently(file)
    if loaded.errors:
        raise ConfigError(loaded.errors)
    known = {
        name: (read.part.at("endpoints", name), value)
        for read in loaded.files.files
        for name, value in read.sections["endpoints"].items()
    }
    if endpoint not in known:
        raise NotFound(f"there is no endpoint {endpoint}", cure=nearest(endpoint, list(known)))
    part, value = known[endpoint]
    shape, _ = shaped(EndpointShape, value, part.document, part.path)
    if shape is None or not isinstance(shape.sign, SignShape):
        place = f"{part.document.name}:{part.document.place(part.path, key=True).line}"
        raise Conflict(
            f"nothing is signed for {endpoint} ({place}), so there is no secret to rotate",
            cure="add `sign: {secrets: [{file: PATH}]}`, with a secret of `gateway keys new --out PATH`",
        )
    return part, shape.sign


def _beside(part: "Part", shape: "SignShape", name: str) -> Path:
    """A file of that name where the endpoint's present secrets are; else in `secrets/`."""
    present = next((each.file for each in shape.secrets if each.file is not None), None)
    folder = part.base / "secrets" if present is None else (part.base / present).parent
    return folder / name


def _next_secret(
    shape: "SignShape", present_is_pair: Callable[[], bool], *, pair: bool | None
) -> tuple[str, str | None]:
    """A new secret of the kind asked for or of the present one's, and its public key if it has one."""
    from gateway.config.signatures import spelled_out
    from gateway.core.ed25519 import PrivateKey, format_private, format_public
    from gateway.core.signing import format_key

    whole = spelled_out(shape)
    material = entropy.token_bytes(32)
    if whole is not None and whole.signature is not None:
        if pair:
            raise typer.BadParameter("the form under `sign:` has no key pairs: leave --ed25519 out")
        match whole.secret_encoding:
            case "hex":
                return whole.secret_prefix + material.hex(), None
            case "base64":
                return whole.secret_prefix + format_key(material).removeprefix("whsec_"), None
            case _:
                return whole.secret_prefix + entropy.token_urlsafe(32), None
    if present_is_pair() if pair is None else pair:
        return format_private(material), format_public(PrivateKey(material).public)
    return format_key(material), None


def _of_other_kind(
    part: "Part", shape: "SignShape", settings: "Settings", *, pair: bool
) -> list["SecretReference"]:
    """The secrets that the new one does not replace: key pairs and shared secrets sign side by side.

    What is not at hand is taken for one of its own kind.
    """
    found = []
    for reference in shape.secrets if len(shape.secrets) > 1 else ():
        with contextlib.suppress(Conflict):
            if _is_pair(part, reference, settings) is not pair:
                found.append(reference)
    return found


def _is_pair(part: "Part", reference: "SecretReference", settings: "Settings") -> bool:
    """Whether a present secret is a key pair. Raises Conflict where it is not at hand."""
    from gateway.config.secrets import SecretBook, SecretMissing
    from gateway.core.ed25519 import PRIVATE_PREFIX

    book = SecretBook(os.environ, None)
    if settings.development_secrets is not None:
        book = SecretBook(_with_made_up(settings.development_secrets), None)
    try:
        present = book.look_up(reference, part.base, "signing-key")
    except SecretMissing as missing:
        raise Conflict(
            f"the present secret is not at hand, so its kind is not known: {missing}",
            cure="say of which kind the next one is to be: --hmac (whsec_…) or --ed25519 (whsk_…)",
        ) from None
    return present.startswith(PRIVATE_PREFIX)


def _with_made_up(development: Path) -> dict[str, str]:
    """The environment, with the secrets that a gateway in development made up where they are missing."""
    from gateway.config.secrets import read_development_secrets

    try:
        made = read_development_secrets(development)
    except (OSError, ValueError):
        made = {}
    return made | {name: value for name, value in os.environ.items() if value.strip()}


def _has_room(shape: "SignShape") -> bool:
    """Whether a request can hold a signature by each of several secrets."""
    from gateway.config.signatures import spelled_out

    whole = spelled_out(shape)
    return whole is None or whole.signature is None or whole.signature.style != "plain"


def _sign_lines(
    shape: "SignShape", reference: str, now: int, until: int, stays: list["SecretReference"]
) -> list[str]:
    """The endpoint's `sign:` as it is to read: the new secret first, those that it replaces until they end."""
    from gateway.config.traps import flow

    # `secrets` comes last, in lines of its own: it is what differs.
    others = shape.model_dump(exclude_unset=True, exclude={"secrets"})
    lines = ["sign:", *(f"  {key}: {flow(value)}" for key, value in others.items()), "  secrets:"]
    lines.append(f"    - {flow({'file': reference})}")
    for old in shape.secrets:
        place = {"env": old.env} if old.env is not None else {"file": old.file}
        if old in stays and old.until is None:
            lines.append(f"    - {flow(place)}")
        if old in stays or until <= now or (old.until is not None and old.until <= now):
            continue
        end = until if old.until is None else min(until, old.until)
        lines.append(f"    - {{{flow(place)[1:-1]}, until: {_moment(end)}}}")
    return lines


def _moment(moment: int) -> str:
    return datetime.fromtimestamp(moment // SECOND, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class _Procedure:
    """What is done with the new secret: before the routes file is changed, and at the end."""

    first: str
    last: str


def _procedure(*, together: bool, several: bool) -> _Procedure:
    """What keeps anything from being refused.

    It depends on whether old and new secrets sign *together* for a while, and on whether a request
    has room for *several* signatures.
    """
    if not together:
        return _Procedure(
            "and let it take effect there before step 2, from which on nothing else signs",
            "The old secret signs no more: remove its file; so does the receiver.",
        )
    if not several:
        return _Procedure(
            "who has to accept both before step 2: this form has room for one signature, and from"
            " then on that is the new secret's",
            "When no request signed before step 2 is under way any more, remove the old secret's line"
            " and its file; so does the receiver.",
        )
    return _Procedure(
        "who takes it beside the present one",
        "When the old secret has ended, remove its line and its file; so does the receiver.",
    )


def _print_steps(
    procedure: _Procedure, endpoint: str, part: "Part", lines: list[str], given: str
) -> None:
    """*given* is what the receiver gets: a public key, or the command that shows the secret."""
    place = f"{part.document.name}:{part.document.place(part.path, key=True).line}"
    if given.startswith("whpk_"):
        what = "its public key"
        where = " (after step 2 it is also at /.well-known/webhook-keys.json)"
    else:
        what, where = "it", ""
    _say(f"1. Give {what} to the receiver, {procedure.first}{where}:\n\n     {given}\n")
    _say(f"2. Write this under {endpoint}, {place}; a running gateway takes it over by itself:\n")
    _say("\n".join(f"     {line}" for line in lines))
    _say(f"\n3. {procedure.last}")


def _print_as_json(
    endpoint: str, path: Path, part: "Part", lines: list[str], public_key: str | None
) -> None:
    told: dict[str, Json] = {
        "endpoint": endpoint,
        "file": str(path),
        "routes_file": part.document.name,
        "line": part.document.place(part.path, key=True).line,
        "yaml": "\n".join(lines) + "\n",
    }
    if public_key is not None:
        told["public_key"] = public_key
    print_json(told)
