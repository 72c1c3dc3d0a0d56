"""`gateway keys`: secrets to sign with: make one, tell its public part, replace one by the next."""

import os
import secrets as entropy
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.exits import FIX
from gateway.cli.options import Routes, content_of, read_settings
from gateway.cli.output import AsJson, console, print_json
from gateway.core.errors import Conflict, NotFound
from gateway.core.model import SECOND, Json

if TYPE_CHECKING:
    from gateway.config.part import Part
    from gateway.config.shape import SecretReference
    from gateway.config.shapes import SignShape

Out = Annotated[Path | None, typer.Option(metavar="FILE", help="Put it there, mode 600.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    keys = typer.Typer(help="Secrets to sign with.", no_args_is_help=True)
    for command in (new, public, rotate):
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
        print(f"gateway: {path} is there already: name another file", file=sys.stderr)
        raise typer.Exit(FIX)
    write_private(path, f"{key}\n".encode())


def _say(text: str) -> None:
    console().print(text, markup=False, soft_wrap=True)


# -- rotate --------------------------------------------------------------------------------------------


def rotate(
    endpoint: Annotated[str, typer.Argument(show_default=False)],
    overlap: Annotated[
        str, typer.Option(metavar="DURATION", help="How long the present secrets go on signing.")
    ] = "24h",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The new secret's file; default: beside the present one."
        ),
    ] = None,
    routes: Routes = None,
    as_json: AsJson = False,
) -> None:
    """Make an endpoint's next signing secret, and tell what to write into the routes file.

    The routes file is not changed. The present secrets go on signing beside the new one for a while.
    """
    from gateway.config.quantities import parse_duration

    try:
        lasts = parse_duration(overlap)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    now = datetime.now(UTC)  # noqa: TID251  # when it was asked for
    part, shape = _signed(endpoint, read_settings({"routes": routes}).routes)
    path = out or _beside(part, shape, f"{endpoint}-{now:%Y-%m-%d}")
    key, public_key = _next_secret(part, shape)
    _write_new(path, key)
    moment = round(now.timestamp()) * SECOND
    reference = str(path) if path.is_absolute() else os.path.relpath(path, part.base)
    lines = _sign_lines(shape, reference, moment, moment + lasts)
    if as_json:
        _print_as_json(endpoint, path, part, lines, public_key)
    else:
        _print_steps(endpoint, path, part, lines, public_key)


def _signed(endpoint: str, file: Path) -> "tuple[Part, SignShape]":
    """The part of the routes file that names *endpoint*, and its `sign`, read without its secrets."""
    from gateway.config.faults import nearest, shaped
    from gateway.config.lenient import load_leniently
    from gateway.config.shapes import EndpointShape, SignShape
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


def _next_secret(part: "Part", shape: "SignShape") -> tuple[str, str | None]:
    """A new secret of the same kind as the present one, and its public key if it has one."""
    from gateway.config.signatures import spelled_out
    from gateway.core.ed25519 import PRIVATE_PREFIX, PrivateKey, format_private, format_public
    from gateway.core.signing import format_key

    whole = spelled_out(shape)
    material = entropy.token_bytes(32)
    if whole is not None and whole.signature is not None:
        match whole.secret_encoding:
            case "hex":
                return whole.secret_prefix + material.hex(), None
            case "base64":
                return whole.secret_prefix + format_key(material).removeprefix("whsec_"), None
            case _:
                return whole.secret_prefix + entropy.token_urlsafe(32), None
    if _present(part, shape.secrets[0]).startswith(PRIVATE_PREFIX):
        return format_private(material), format_public(PrivateKey(material).public)
    return format_key(material), None


def _present(part: "Part", reference: "SecretReference") -> str:
    """The secret as it is now; nothing where it is not at hand."""
    if reference.env is not None:
        return os.environ.get(reference.env, "").strip()
    try:
        return (part.base / (reference.file or "")).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _sign_lines(shape: "SignShape", reference: str, now: int, until: int) -> list[str]:
    """The endpoint's `sign:` as it is to read: the new secret first, the others until they end."""
    from gateway.config.traps import flow

    # `secrets` comes last, in lines of its own: it is what differs.
    others = shape.model_dump(exclude_unset=True, exclude={"secrets"})
    lines = ["sign:", *(f"  {key}: {flow(value)}" for key, value in others.items()), "  secrets:"]
    lines.append(f"    - {flow({'file': reference})}")
    for old in shape.secrets:
        if old.until is not None and old.until <= now:
            continue
        place = {"env": old.env} if old.env is not None else {"file": old.file}
        end = until if old.until is None else min(until, old.until)
        lines.append(f"    - {{{flow(place)[1:-1]}, until: {_moment(end)}}}")
    return lines


def _moment(moment: int) -> str:
    return datetime.fromtimestamp(moment // SECOND, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _print_steps(
    endpoint: str, path: Path, part: "Part", lines: list[str], public_key: str | None
) -> None:
    place = f"{part.document.name}:{part.document.place(part.path, key=True).line}"
    _say(f"a new secret for {endpoint} is in {path}, mode 600")
    if public_key is None:
        _say(
            f"1. Give it to the receiver, who takes it beside the present one:\n\n     cat {path}\n"
        )
    else:
        _say(
            "1. Give its public key to the receiver, who takes it beside the present one (after step 2"
            f" it is also at /.well-known/webhook-keys.json):\n\n     {public_key}\n"
        )
    _say(f"2. Write this under {endpoint}, {place}; a running gateway takes it over by itself:\n")
    _say("\n".join(f"     {line}" for line in lines))
    _say("\n3. When the old secret has ended, remove its line and its file; so does the receiver.")


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
