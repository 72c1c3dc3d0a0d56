"""Log lines: what telemetry reports, and what libraries say, in one form.

JSON, one object a line, or coloured text on a terminal. Control characters are escaped in both.
Refusals are capped per source, and failing expressions per route: someone who hammers the door does
not fill the disk.
"""

import logging
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal

import structlog

from gateway.core.errors import DiskFull, Overloaded, StoreBehind, StoreUnavailable
from gateway.core.model import Arrival, Attempt, Delivery, Receipt, rfc3339
from gateway.core.rate import TokenBucket
from gateway.core.retry import Decision, Finish, GiveUp, Park, RetryAt

Form = Literal["auto", "json", "console"]


def _as_it_is(line: str) -> str:
    return line


def set_up_logging(form: Form, level: str, redact: Callable[[str], str] = _as_it_is) -> None:
    """Send everything that is logged, by whomever, to standard error in one form.

    *redact* takes out of each line what must not be shown.
    """
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[Any] = (
        [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                # The default shows local variables, and those may be secrets.
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
        if console
        else [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *renderer,
                lambda _logger, _name, line: redact(str(line)),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn.access").disabled = True
    # aiosqlite tells at debug of every statement, and with it of what someone looks for.
    for noisy in ("aiosqlite", "asyncio", "uvicorn.error", "watchfiles.main"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class LogListener:
    """Turns what telemetry reports into log lines."""

    def __init__(self, monotonic: Callable[[], int]) -> None:
        self._log = logging.getLogger("gateway")
        self._monotonic = monotonic
        self._buckets: dict[str, TokenBucket] = {}

    def __call__(self, name: str, fields: dict[str, Any]) -> None:
        """Log one report, if it is one to log."""
        if name == "attempt.recorded":
            self._attempt(**fields)
        elif name == "events.kept":
            self._kept(fields["arrivals"], fields["receipts"])
        elif name == "event.refused":
            self._refused(fields)
        elif name == "query.fetched":
            if fields["reason"]:
                text = "the endpoint that a query asks gave no answer to pass on"
                told = {**fields, "duration_ms": round(fields["duration"] / 1000, 1)}
                del told["duration"]
                self._capped(f"query {fields['query']}", text, told)
        elif name == "query.answered":
            if fields["outcome"] == "caller-unknown":
                text = "whoever asked a query had no token that it knows"
                self._capped(f"callers of {fields['query']}", text, fields)
        elif name == "event.misfit":
            text = "an event was kept whose data do not fit its type: see `gateway types`"
            self._capped(f"misfits of {fields['source']}", text, fields)
        elif name == "caller.unknown":
            text = (
                "a call to the admin API had no token that is known: `gateway tokens new` makes one"
            )
            self._capped(name, text, fields)
        elif name in LEVELS:
            level, text = LEVELS[name]
            self._log.log(level, text, extra=_of_entry(fields) if "at" in fields else fields)

    def _attempt(self, delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        level, text = _of_decision(decision)
        if self._log.isEnabledFor(level):
            self._log.log(
                level,
                text,
                extra={
                    "delivery": delivery.id,
                    "event_type": delivery.event.type,
                    "route": delivery.route,
                    "endpoint": delivery.endpoint,
                    "attempt": attempt.number,
                    "outcome": attempt.outcome,
                    "status": attempt.status,
                    "reason": getattr(decision, "reason", None),
                    "duration_ms": round(attempt.duration / 1000, 1),
                },
            )

    def _kept(self, arrivals: list[Arrival], receipts: list[Receipt]) -> None:
        tells_all = self._log.isEnabledFor(logging.DEBUG)
        for arrival, receipt in zip(arrivals, receipts, strict=True):
            if tells_all:
                self._event(arrival, receipt)
            if not arrival.routed.failures or receipt.duplicate:
                continue
            for failure in arrival.routed.failures:
                self._capped(
                    f"route {failure.route}",
                    "an expression of a route failed: see `gateway inbox`",
                    {"event_id": arrival.event.event_id, **asdict(failure)},
                )

    def _event(self, arrival: Arrival, receipt: Receipt) -> None:
        """Tell of an event without what it says, its subject included: the log is out of reach for `erase`."""
        self._log.debug(
            "an event came that is there already" if receipt.duplicate else "an event is kept",
            extra={
                "event_id": receipt.event_id,
                "source": arrival.event.source,
                "event_type": arrival.event.type,
                "deliveries": 0 if receipt.duplicate else len(arrival.deliveries),
            },
        )

    def _refused(self, fields: dict[str, Any]) -> None:
        text, source = "a request was refused", fields["source"]
        if "entry" in fields:
            text += f": see `gateway inbox {fields['entry']}`"
        if fields["code"] in NO_ROOM:  # as many as there are senders
            self._capped(f"{source} {fields['code']}", text, fields, most=1)
        else:
            self._capped(source, text, fields)

    def _capped(self, who: str, text: str, fields: dict[str, Any], most: int = 5) -> None:
        """Warn, but not more than *most* times a second of the same one; the rest is for who debugs."""
        bucket = self._buckets.setdefault(who, TokenBucket(most))
        capped = bucket.take(self._monotonic()) > 0
        self._log.log(logging.DEBUG if capped else logging.WARNING, text, extra=fields)


def _of_entry(fields: dict[str, Any]) -> dict[str, Any]:
    """An entry of the audit log as a reader sees it: its moment as a date, and nothing that is empty."""
    return {name: value for name, value in fields.items() if value != ""} | {
        "at": rfc3339(fields["at"])
    }


def _of_decision(decision: Decision) -> tuple[int, str]:
    match decision:
        case Finish():
            return logging.DEBUG, "delivered"
        case RetryAt():
            return logging.INFO, "an attempt failed and will be made again"
        case GiveUp():
            return logging.WARNING, "a delivery is dead: see `gateway dead`"
        case Park():
            return logging.WARNING, "the endpoint stops, and its work waits"


NO_ROOM = frozenset({Overloaded.code, StoreBehind.code, StoreUnavailable.code, DiskFull.code})
"""Refusals that say nothing of the request."""

LEVELS: dict[str, tuple[int, str]] = {
    "event.unreadable": (logging.WARNING, "a verified request is unreadable: see `gateway inbox`"),
    "event.ignored": (logging.DEBUG, "a request was ignored, as its source asks"),
    "source.handshake": (logging.INFO, "a sender made sure that it is expected"),
    "source.confirmed": (logging.INFO, "a subscription was confirmed"),
    "refusals.lost": (logging.DEBUG, "refused requests could not be kept"),
    "store.unavailable": (
        logging.ERROR,
        "the store cannot be written: nothing is sent until it can",
    ),
    "store.broken": (
        logging.CRITICAL,
        "the database cannot be relied on any more: the gateway ends, and touches it no more",
    ),
    "listener.lost": (
        logging.CRITICAL,
        "nobody can connect any more, for lack of memory perhaps: the gateway ends",
    ),
    "disk.low": (
        logging.ERROR,
        "the disk of the database is nearly full: no events are taken; free some space",
    ),
    "disk.full": (
        logging.ERROR,
        "the disk of the database is full, and the ballast is given up: free some space",
    ),
    "disk.without_ballast": (
        logging.ERROR,
        "the ballast cannot be made: see that the folder of the database can be written",
    ),
    "disk.recovered": (logging.WARNING, "the disk of the database has room again"),
    "delivery.corrupt": (
        logging.ERROR,
        "a delivery is dead: its stored bytes have changed; check the disk, restore a backup",
    ),
    "files.few": (
        logging.WARNING,
        "few file descriptors: fewer connections are taken; raise `ulimit -n`",
    ),
    "store.recovered": (logging.WARNING, "the store can be written again"),
    "outcomes.lost": (
        logging.ERROR,
        "what attempts learned could not be recorded: they will be made again",
    ),
    "release.failed": (logging.WARNING, "leases could not be returned: they will run out"),
    "deliveries.expired": (logging.WARNING, "deliveries have expired: they were cancelled"),
    "deliveries.late": (
        logging.WARNING,
        "deliveries take too long: see `gateway deliveries --state scheduled`",
    ),
    "poll.failed": (
        logging.WARNING,
        "a source was asked in vain; it is asked again, less often: see `gateway status`",
    ),
    "poll.unenriched": (
        logging.WARNING,
        "nothing could be learned of assets that changed; they are told of without",
    ),
    "source.polled": (logging.DEBUG, "a source was asked"),
    "source.silent": (
        logging.WARNING,
        "nothing comes from a source any more: see that its sender runs and posts here",
    ),
    "news.lost": (logging.WARNING, "news of the gateway's own could not be kept, and is not told"),
    "route.unconfirmed": (
        logging.WARNING,
        "a route did not deliver all of an event in time: an event says what",
    ),
    "question.answered": (logging.INFO, "what a route has asked was answered"),
    "plan.missed": (
        logging.INFO,
        "a planned event is not made: a later one of its plan became due while the gateway was down",
    ),
    "lease.lost": (
        logging.WARNING,
        "a lease ran out before its outcome was recorded, and the attempt is made again: see what is slow",
    ),
    "leases.reclaimed": (logging.WARNING, "deliveries whose lease ran out are back on schedule"),
    "endpoint.closed": (
        logging.WARNING,
        "an endpoint is left alone: `gateway endpoints` says why, `gateway resume` ends it",
    ),
    "endpoint.opened": (logging.INFO, "an endpoint is open again"),
    "retention.pruned": (logging.INFO, "what is kept no longer is deleted"),
    "retention.failed": (
        logging.WARNING,
        "what is kept no longer could not be deleted: it is tried again in a minute",
    ),
    "retention.exceeded": (
        logging.WARNING,
        "the database is larger than `retention_size`, and nothing more may go: see docs/operations.md",
    ),
    "node.out_of_touch": (
        logging.ERROR,
        "this node cannot tell the others that it is there: it begins nothing until it can",
    ),
    "nodes.differ": (
        logging.ERROR,
        "nodes go by different routes: give all of them the same files, or see what is rolling out",
    ),
    "clock.off": (
        logging.ERROR,
        "this node's clock and the database's differ: it begins nothing until they agree; see to NTP",
    ),
    "routes.reloaded": (logging.INFO, "new routes are in force"),
    "routes.rejected": (logging.ERROR, "the routes file is faulty: the former one stays in force"),
    "tokens.reloaded": (logging.WARNING, "other tokens are in force for the admin API"),
    "tokens.rejected": (
        logging.ERROR,
        "the file of tokens is faulty: the former ones stay in force",
    ),
    "routes.warning": (logging.WARNING, "the routes file has a weakness"),
    "handler.blocking": (logging.WARNING, "a handler blocks the event loop: use its async client"),
    "loop.blocked": (logging.WARNING, "the event loop was blocked: give it more processor"),
    "audit.written": (logging.INFO, "someone made a change: see `gateway audit`"),
    "audit.refused": (
        logging.WARNING,
        "a change was refused, and nothing was changed: `outcome` is the code of why",
    ),
    "audit.unwritten": (logging.ERROR, "the audit log cannot be written: this line is the entry"),
    "gateway.paused": (
        logging.WARNING,
        "started paused: events are taken, and nothing is delivered until `gateway resume --all`",
    ),
    "gateway.resumed": (logging.WARNING, "the pause is over: deliveries begin"),
    "gateway.draining": (logging.INFO, "shutting down: finishing what is under way"),
    "gateway.stopped": (logging.INFO, "stopped"),
}
