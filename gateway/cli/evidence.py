"""`gateway evidence`: what was received, and who was told, when, with which answer: signed, and checked offline."""

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.client import At, NotRunning, TokenFile, connect
from gateway.cli.exits import NO
from gateway.cli.options import Database, Since, Until
from gateway.cli.output import AsJson, console, print_json, print_table
from gateway.core.errors import NotFound
from gateway.core.model import Json, delivery_id, rfc3339, rfc3339_moment
from gateway.core.proof import Proof, verify
from gateway.core.words import counted

LINES, MANIFEST = "evidence.jsonl", "manifest.json"
"""The two files of a bundle that is a folder; in a single file the manifest is the last line."""

Bundle = Annotated[Path, typer.Argument(help="The folder or file.", show_default=False)]
Key = Annotated[
    list[str] | None,
    typer.Option(
        "--key", metavar="whpk_…", help="Whose signatures they have to be; its public key."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    evidence = typer.Typer(
        help="What was received, and who was told: signed, and checked offline.",
        invoke_without_command=True,
    )
    evidence.callback()(make)
    evidence.command("verify")(check)
    for command in (show, key):
        evidence.command()(command)
    app.add_typer(evidence, name="evidence")


def make(
    context: typer.Context,
    subject: Annotated[
        str | None, typer.Option(metavar="SUBJECT", help="About events with it, exactly.")
    ] = None,
    event: Annotated[str | None, typer.Option(metavar="EVENT", help="About one event.")] = None,
    source: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="About events of a source.")
    ] = None,
    since: Since = None,
    until: Until = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="PLACE", help="Put the bundle there: FILE.jsonl, or a folder."),
    ] = None,
    at: At = None,
    token_file: TokenFile = None,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Tell who was told, when; with --out, as a signed bundle. Without a gateway, the database is read."""
    if context.invoked_subcommand is not None:
        return
    asked = {"subject": subject, "event": event, "source": source, "since": since, "until": until}
    lines = list(_lines(asked, at, token_file, database))
    proof = verify(lines)
    if out is not None:
        _write(out, lines)
    if as_json:
        print_json(_told(proof))
    elif out is None:
        _show(proof)
    else:
        console().print(f"{out}: {_summary(proof)}", markup=False)
    _end(proof, as_json=as_json)


def check(bundle: Bundle, pinned: Key = None, as_json: AsJson = False) -> None:
    """Check a bundle, without a gateway: exit 1, and say which line is wrong, where it does not hold."""
    proof = verify(_read(bundle), pinned or ())
    if as_json:
        faults = [{"line": line, "what": what} for line, what in proof.faults]
        print_json({"holds": proof.holds, "key": proof.key, "faults": faults})
    elif proof.holds:
        console().print(f"{bundle} holds: {_summary(proof)}", markup=False)
        if not pinned:
            console().print("whether that key is the gateway's, only --key can tell", style="dim")
    _end(proof, as_json=as_json)


def show(bundle: Bundle, pinned: Key = None, as_json: AsJson = False) -> None:
    """Show what a bundle tells: who was told, when."""
    proof = verify(_read(bundle), pinned or ())
    if as_json:
        print_json(_told(proof))
    else:
        _show(proof)
    _end(proof, as_json=as_json)


def key(database: Database = None) -> None:
    """Tell the public key, whpk_…, of this machine's evidence; it is made where there is none."""
    from gateway.config.evidence_key import evidence_key
    from gateway.config.settings import read_settings

    settings = read_settings({"database": database})
    print(evidence_key(settings.evidence_key_file).public)


def _end(proof: Proof, *, as_json: bool) -> None:
    if proof.holds:
        return
    if not as_json:
        out = console(to_stderr=True)
        for line, what in proof.faults:
            out.print(f"line {line}: {what}" if line else what, style="bold red", markup=False)
    raise typer.Exit(NO)


# -- where it comes from -------------------------------------------------------------------------------


def _lines(
    asked: dict[str, str | None], at: str | None, token_file: Path | None, database: str | None
) -> Iterable[bytes]:
    """A bundle of the gateway that is named, or that serves the database; else of the database file."""
    try:
        return connect(at, token_file, database).lines("/api/v1/evidence", asked)
    except NotRunning:
        return asyncio.run(_of_file(asked, database))


async def _of_file(asked: dict[str, str | None], database: str | None) -> list[bytes]:
    from gateway import __version__
    from gateway.cli.encrypted import key_from_settings
    from gateway.clock import SystemClock
    from gateway.config.encryption import read_keys
    from gateway.config.evidence_key import evidence_key
    from gateway.config.settings import read_settings
    from gateway.flows.evidence import Asked, Evidence
    from gateway.store.evidence import KeptEvidence
    from gateway.store.sqlite.read import reading

    settings = read_settings({"database": database})
    file = settings.database_file
    if file is None or not file.is_file():
        raise NotRunning(
            f"no gateway serves {settings.database}, and it is no file",
            cure="start one with `gateway serve`, or name it with --gateway or --database",
        )
    moments = {
        name: rfc3339_moment(asked[name] or "") if asked[name] else None
        for name in ("since", "until")
    }
    wanted = Asked(
        subject=asked["subject"], event=asked["event"], source=asked["source"], **moments
    )
    with key_from_settings():
        keys = read_keys(settings.encryption_key)
        async with reading(file, keys) as reader:
            signing = evidence_key(settings.evidence_key_file)
            evidence = Evidence(KeptEvidence(reader), signing, SystemClock(), __version__)
            return [line.rstrip(b"\n") async for line in await evidence.bundle(wanted)]


def _write(out: Path, lines: list[bytes]) -> None:
    if out.suffix == ".jsonl":
        out.write_bytes(b"\n".join(lines) + b"\n")
        return
    out.mkdir(parents=True, exist_ok=True)
    (out / LINES).write_bytes(b"".join(line + b"\n" for line in lines[:-1]))
    (out / MANIFEST).write_bytes(lines[-1] + b"\n")


def _read(bundle: Path) -> list[bytes]:
    """The lines of a bundle, its manifest last. Raises NotFound."""
    files = [bundle / LINES, bundle / MANIFEST] if bundle.is_dir() else [bundle]
    try:
        return [
            line for file in files if file == files[0] or file.exists() for line in _split(file.read_bytes())
        ]  # fmt: skip
    except OSError as error:
        raise NotFound(f"{bundle} cannot be read: {error.strerror}", cure="name a bundle") from None


def _split(content: bytes) -> Iterator[bytes]:
    yield from (line for line in content.split(b"\n") if line)


# -- what it tells -------------------------------------------------------------------------------------


def _summary(proof: Proof) -> str:
    received = [entry for entry, _ in proof.entries if entry["what"] == "received"]
    attempts = [each for entry, _ in proof.entries for each in entry.get("attempts", [])]
    parts = [
        counted(len(received), "event") + " received",
        counted(len(attempts), "attempt"),
        counted(proof.links, "link") + " of " + counted(proof.chains, "chain"),
        f"signed with {proof.key}",
    ]
    return ", ".join(parts)


def _show(proof: Proof) -> None:
    rows = [
        (
            each["when"],
            each["event"],
            each["type"],
            each["subject"],
            each["told"],
            each["answer"],
            each["state"],
        )
        for each in _told(proof)["told"]
    ]
    print_table(
        ("when", "event", "type", "subject", "told", "answer", "state"),
        rows,
        empty="nothing was received or delivered",
    )
    console().print(_summary(proof), style="dim", markup=False)


def _told(proof: Proof) -> dict[str, Json]:
    """What was received, and who was told, in the order in which it happened."""
    subjects = {
        entry["event"]: "(erased)" if personal is None else personal.get("subject")
        for entry, personal in proof.entries
        if entry["what"] == "received" and entry["personal"] is not None
    }
    rows: list[tuple[int, dict[str, Json]]] = []
    for entry, _ in proof.entries:
        common = {
            "event": entry["event"],
            "type": entry["type"],
            "source": entry["source"],
            "subject": subjects.get(entry["event"]),
        }
        if entry["what"] == "received":
            rows.append((entry["at"], common | _received(entry)))
        for attempt in entry.get("attempts", []):
            rows.append((attempt["at"] + attempt["took"], common | _attempt(entry, attempt)))  # noqa: PERF401
    rows.sort(key=lambda row: row[0])
    return {
        "holds": proof.holds,
        "key": proof.key,
        "asked": proof.asked,
        "told": [{"when": rfc3339(at), **row} for at, row in rows],
    }


def _received(entry: dict[str, Any]) -> dict[str, Json]:
    return {
        "told": f"received from {entry['source']}",
        "answer": f"verified: {entry['verified']}",
        "state": None,
        "body": entry["body"],
    }


def _attempt(entry: dict[str, Any], attempt: dict[str, Any]) -> dict[str, Json]:
    return {
        "told": attempt["endpoint"],
        "to": attempt["to"],
        "delivery": delivery_id(entry["event"], attempt["delivery"]),
        "answer": attempt["status"] or attempt["reason"] or attempt["outcome"],
        "state": attempt["state"],
        "sent": attempt["sent"],
        "answered": attempt["answer"],
    }
