"""What `gateway plan` found: as JSON, and in lines for people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.text import Text

from gateway.cli.output import console, print_table, printable
from gateway.config.changes import Change
from gateway.config.routes import Loaded
from gateway.core.model import Json, Micros, rfc3339
from gateway.core.words import counted
from gateway.planning import KINDS, Backtest, Findings

MOST_EXAMPLES = 20
"""So many are shown to people; JSON has them all."""
STYLES = {"dropped": "bold red", "added": "yellow", "changed": "cyan", "moved": "dim"}
MARKS = {"added": "+", "removed": "-", "changed": "~", "renamed": ">"}
NOT_BACKTESTED = {
    "event": "recorded events are as the `event:` in force reads them",
    "verify": "recorded events are those that the `verify:` in force lets in",
    "dedupe": "recorded events are those that the `dedupe:` in force lets in",
}


@dataclass(slots=True)
class Read:
    """Which recorded events were read."""

    since: Micros
    until: Micros
    words: str
    """The span in words: `in 7 days`."""
    read: bool = True
    """False where no route could make anything else of any event."""
    corrupt: int = 0
    first_corrupt: str = ""


def told(
    backtest: Backtest,
    found: Sequence[Change],
    read: Read,
    stats: Mapping[str, Json],
    most_added: int | None,
    new: Loaded,
) -> dict[str, Json]:
    """Everything, as JSON."""
    findings = backtest.findings
    parts = [_part(change, findings, stats) for change in found]
    totals = {kind: findings.total(kind) for kind in KINDS}
    reasons = list(_reasons(totals, parts, most_added))
    return {
        "ok": not reasons,
        "reasons": reasons,
        "events": {
            "since": rfc3339(read.since),
            "until": rfc3339(read.until),
            "read": read.read,
            "count": findings.events,
            "corrupt": read.corrupt,
            "first_corrupt": read.first_corrupt or None,
        },
        "file": parts,
        "totals": totals,
        "deliveries": _deliveries(findings),
        "moved": [
            {"before": before, "route": route, "endpoint": endpoint, "count": count}
            for (before, route, endpoint), count in sorted(findings.moved.items())
        ],
        "withheld": [
            {"route": route, "reason": reason, "before": before, "after": after}
            for (route, reason), (before, after) in sorted(findings.withheld.items())
        ],
        "failing": [
            {"route": route, **asdict(failing)}
            for route, failing in sorted(findings.failing.items())
            if failing.before != failing.after
        ],
        "evidence": [
            {"route": name, **asdict(evidence)} for name, evidence in findings.evidence.items()
        ],
        "not_backtested": list(_not_backtested(found, new)),
        "examples": [
            asdict(example)
            for kind in KINDS
            for (kept, _), examples in sorted(findings.examples.items())
            if kept == kind
            for example in examples
        ],
    }


def _part(change: Change, findings: Findings, stats: Mapping[str, Json]) -> dict[str, Json]:
    """A part of the file that differs, with what waits for it or was heard by it under its old name."""
    part = asdict(change)
    name = change.before or change.name
    if change.kind == "endpoint" and change.change != "added":
        part["waiting"] = stats["scheduled"].get(name, {}).get("count", 0)
        part["dead"] = stats["dead"].get(name, {}).get("count", 0)
    if change.kind == "source" and change.change != "changed":
        part["events"] = findings.unheard[name]
    return part


def _deliveries(findings: Findings) -> list[dict[str, Json]]:
    rows = [
        {
            "route": route,
            "endpoint": endpoint,
            "owner": findings.owners.get(route),
            **asdict(tally),
        }
        for (route, endpoint), tally in findings.tallies.items()
    ]
    return sorted(rows, key=lambda row: (*(-row[kind] for kind in KINDS), *map(row.get, PLACE)))


PLACE = ("route", "endpoint")


def _reasons(
    totals: Mapping[Any, int], parts: Sequence[dict[str, Json]], most_added: int | None
) -> Iterator[str]:
    """Why the answer is no."""
    if totals["dropped"]:
        yield f"{counted(totals['dropped'], 'delivery', 'deliveries')} dropped"
    if most_added is not None and totals["added"] > most_added:
        yield f"{counted(totals['added'], 'delivery', 'deliveries')} added, more than {most_added:,}"
    for part in parts:
        if part["change"] in ("removed", "renamed") and (part.get("waiting") or part.get("dead")):
            name = part["before"] or part["name"]
            yield f"endpoint {name} is gone, with {_work(part)}"


def _not_backtested(found: Sequence[Change], new: Loaded) -> Iterator[str]:
    for change in found:
        if change.kind == "source" and change.change == "changed":
            for key in change.keys:
                if key in NOT_BACKTESTED:
                    yield f"source {change.name}: {NOT_BACKTESTED[key]}"
    once = {r.name for r in (new.routes.routes if new.routes else ()) if r.once is not None}
    for change in found:
        if change.kind != "route" or change.name not in once:
            continue
        if change.change == "renamed":
            yield f"route {change.name}: under its new name its `once` has not fired for anything yet"
        elif change.change == "added" or "once" in change.keys:
            yield f"route {change.name}: its `once` is only known to fire within the recorded events"


def _work(part: Mapping[str, Json]) -> str:
    counts = ((part["waiting"], "waiting"), (part["dead"], "dead"))
    words = [
        f"{counted(count, 'delivery', 'deliveries')} {state}" for count, state in counts if count
    ]
    return " and ".join(words)


# -- for people ----------------------------------------------------------------------------------------


def print_told(result: Mapping[str, Json], read: Read, title: str) -> None:
    """The same in lines, the most urgent last."""
    _line((title, "bold"))
    _line((_events_line(result["events"], read), "dim"))
    if result["events"]["corrupt"]:
        _line(
            (
                f"! {counted(result['events']['corrupt'], 'event')} cannot be read: the stored bytes are",
                "bold red",
            ),
            (f" not those that came, the first {result['events']['first_corrupt']}", "bold red"),
        )
    _print_parts(result["file"])
    _print_deliveries(result)
    _print_silent(result)
    _print_evidence(result, read)
    _print_examples(result["examples"])
    print()
    if result["ok"]:
        nothing = not result["file"] and not any(result["totals"].values())
        _line(("nothing changes" if nothing else "nothing is dropped", "green"))
    for reason in result["reasons"]:
        _line((f"✗ {reason}", "bold red"))


def _heading(text: str) -> None:
    print()
    _line((text, "bold"))


def _line(*parts: tuple[str, str]) -> None:
    console().print(
        Text.assemble(*((printable(text), style) for text, style in parts)), soft_wrap=True
    )


def _events_line(events: Mapping[str, Json], read: Read) -> str:
    if not read.read:
        return "no route makes anything else of any event, so none was read"
    if not events["count"]:
        return f"no events {read.words}: nothing shows what the routes would do"
    return f"against {counted(events['count'], 'event')} recorded {read.words}"


def _print_parts(parts: Sequence[Mapping[str, Json]]) -> None:
    if parts:
        _heading("file")
    for part in parts:
        gone = part["change"] in ("removed", "renamed")
        words = ", ".join(part["keys"])
        if part["before"]:
            words = f"was {part['before']}"
        line = f"  {MARKS[part['change']]} {part['kind']:<9} {part['name']}  {words}".rstrip()
        notes = []
        if part.get("waiting") or part.get("dead"):
            old = f"{part['before']} has" if part["before"] else "it has"
            notes.append(f"{old} {_work(part)}" + (", and none of it can be sent" if gone else ""))
        if part.get("events") and gone:
            name = part["before"] or part["name"]
            notes.append(
                f"{counted(part['events'], 'event')} came by /in/{name}, which would be refused"
            )
        style = "bold red" if gone and notes else ""
        _line((line, ""), (f"  {'; '.join(notes)}" if notes else "", style))


def _print_deliveries(result: Mapping[str, Json]) -> None:
    rows = [row for row in result["deliveries"] if any(row[kind] for kind in KINDS)]
    if not rows:
        return
    _heading("deliveries")
    print_table(
        ("  route", "endpoint", *KINDS, "same", "owner"),
        (
            (
                f"  {row['route']}",
                row["endpoint"],
                *(_number(row[kind]) for kind in (*KINDS, "same")),
                row["owner"],
            )
            for row in rows
        ),
        empty="",
    )
    for move in result["moved"]:
        what = f"{counted(move['count'], 'delivery', 'deliveries')} to {move['endpoint']}"
        _line((f"  {move['before']} > {move['route']}: {what}, as before", "dim"))


def _number(count: int) -> str:
    return f"{count:,}" if count else "·"


def _print_silent(result: Mapping[str, Json]) -> None:
    """What makes no delivery: held back, or failed."""
    lines = [
        f"  {each['route']}, {each['reason']}: holds back {counted(each['after'], 'event')},"
        f" {each['before']:,} before"
        for each in result["withheld"]
        if each["before"] != each["after"]
    ]
    if lines:
        _heading("withheld")
    for line in lines:
        _line((line, ""))
    if result["failing"]:
        _heading("failing expressions")
    for each in result["failing"]:
        worse = each["after"] > each["before"]
        times = f"  {each['route']}: {counted(each['after'], 'time')}, {each['before']:,} before"
        first = f"; {each['event']}: {each['detail']}" if each["detail"] else ""
        _line((times + first, "bold red" if worse else ""))


def _print_evidence(result: Mapping[str, Json], read: Read) -> None:
    if result["evidence"] and read.read:
        _heading("evidence")
        for each in result["evidence"]:
            _line(
                (
                    f"  route {each['route']}: {_seen(each, read)}",
                    "" if each["events"] else "yellow",
                )
            )
    for note in result["not_backtested"]:
        _line((f"  not backtested: {note}", "yellow"))


def _seen(evidence: Mapping[str, Json], read: Read) -> str:
    events, passed = evidence["events"], evidence["passed"]
    if not events:
        return f"0 such events seen {read.words}"
    seen = f"{counted(events, 'such event')} seen {read.words}"
    return seen if passed == events else f"{seen}, of which `when` lets {passed:,} through"


def _print_examples(examples: Sequence[Mapping[str, Json]]) -> None:
    if examples:
        _heading("examples")
    for each in examples[:MOST_EXAMPLES]:
        what = f"{each['event']}  {each['type']}  {each['subject'] or ''}".rstrip()
        more = f"  ({', '.join(each['differs'])})" if each["differs"] else ""
        more = f"  (by {each['before']} before)" if each["before"] else more
        place = f"  {each['route']} → {each['endpoint']}{more}"
        _line((f"  {each['kind']:<8} ", STYLES[each["kind"]]), (what + place, ""))
    if len(examples) > MOST_EXAMPLES:
        _line((f"  … {len(examples) - MOST_EXAMPLES:,} more with --json", "dim"))
