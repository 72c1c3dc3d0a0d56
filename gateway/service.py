"""The composition root: from settings to a gateway that runs, and back.

Opened, started, stopped. It owns the sockets; whoever runs it owns the signals.
"""

import asyncio
import contextlib
import gc
import logging
import os
import resource
import secrets
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway import __version__
from gateway.clock import SystemClock
from gateway.config.encryption import read_keys
from gateway.config.evidence_key import evidence_key
from gateway.config.extras import extra, postgres_extra
from gateway.config.files import included
from gateway.config.layers import DATABASE
from gateway.config.private import write_private
from gateway.config.settings import Settings
from gateway.config.tokens import make_tokens, read_tokens
from gateway.core.access import Access
from gateway.core.callbacks import KEY_BYTES, Callbacks
from gateway.core.errors import ConfigError, DiskFull, Problem, StoreUnavailable
from gateway.core.model import FOREVER, SECOND, DeliveryId, Json, Micros, parse_delivery_id
from gateway.core.nodes import Node
from gateway.core.redaction import Redaction
from gateway.core.routes import Routes, Source
from gateway.core.state import FINAL, State
from gateway.flows.admit import Admit
from gateway.flows.answers import Answers
from gateway.flows.audit import Audit
from gateway.flows.backlog import Backlog
from gateway.flows.bulk import Bulk
from gateway.flows.carry_on import CarryOn
from gateway.flows.claim import Claim
from gateway.flows.confirm import Confirm
from gateway.flows.deliver import Deliver
from gateway.flows.erase import Erase
from gateway.flows.evidence import Evidence
from gateway.flows.expire import Expire
from gateway.flows.follow import Follow
from gateway.flows.handshake import Handshakes
from gateway.flows.history import History
from gateway.flows.ingest import Ingest
from gateway.flows.intake import Intake
from gateway.flows.keep import Keep
from gateway.flows.know import Know
from gateway.flows.lanes import PAUSED, Lanes
from gateway.flows.late import Late
from gateway.flows.live import Live
from gateway.flows.loop import Loop
from gateway.flows.news import Tell
from gateway.flows.nodes import Nodes
from gateway.flows.operate import Operate
from gateway.flows.plans import MakePlanned
from gateway.flows.poll import Pollers
from gateway.flows.prune import Prune
from gateway.flows.publish import Publish
from gateway.flows.query import Queries
from gateway.flows.read_again import ReadAgain
from gateway.flows.reclaim import Reclaim
from gateway.flows.record import Recorder
from gateway.flows.refusals import Refusals
from gateway.flows.silence import Silence
from gateway.flows.verify import Verify
from gateway.loading import Checked, check
from gateway.logs import LogListener
from gateway.metrics import Asked, Metrics
from gateway.ports import Clock, NodeStore
from gateway.sender.own import OwnAddresses
from gateway.sender.senders import make_senders
from gateway.store.disk import Disk, ballast_path, release
from gateway.store.sqlite import SqliteStore
from gateway.telemetry import Telemetry
from gateway.watchdog import Watchdog
from gateway.watcher import Watcher
from gateway.web.access import is_loopback
from gateway.web.api import admin_app
from gateway.web.callback import CallbackDoor
from gateway.web.door import Limits
from gateway.web.ingest import UNKNOWN, PublicApp
from gateway.web.query import QueryDoor
from gateway.web.server import Server, listen, url
from gateway.web.shown import Shown
from gateway.web.surroundings import Surroundings

if TYPE_CHECKING:
    from gateway.store.postgres import PostgresStore
    from gateway.traces import Traces

SWITCH_SECONDS = 0.0005
"""How long a thread may keep Python's global lock while another waits for it. The default, 5 ms,
is what each step of the writer thread would wait for a busy event loop."""

COLLECT_AFTER = (25_000, 20, 20)
"""Python's cycle collector looks after so many new objects, not after 700: what an event allocates
lives until its commit and holds no cycles, and looking at it again and again cost a sixth of the work."""

ENOUGH_FILES = 65_536
"""So many file descriptors are asked for, where a process may have more than it has at first."""

OWN_FILES = 64
"""So many are kept for the database, calls to endpoints, and the admin API."""

MOST_LINGERING = 100
"""So many refused connections may wait until their answer has been read."""

MANY_ROUTES = 20_000
"""So many take several seconds to load, and a reload of them is reported on."""

SHORTEST_SECRET = 16
"""Characters of a secret that comes by a handshake."""

LAST_ANSWERS_SECONDS = 2
"""How long those who are being answered have, when the gateway breaks off."""


class Service:
    """One gateway, in one process.

    `open`, then `start`; when it is to end, `stop`. Raises ConfigError or StoreUnavailable where it
    cannot start, and then leaves nothing behind.
    """

    def __init__(
        self,
        settings: Settings,
        check_routes: Callable[[], Checked],
        checked: Checked,
        store: "SqliteStore | PostgresStore",
        clock: Clock,
        redaction: Redaction,
        telemetry: Telemetry,
    ) -> None:
        assert checked.routes is not None  # noqa: S101  # `open` saw to it
        self.settings = settings
        self._callbacks = Callbacks()
        self.routes: Routes = replace(checked.routes, callbacks=self._callbacks)
        self.made_secrets = checked.made_secrets
        self.new_token: str | None = None
        """The admin token, if it was made just now: to be shown, once."""
        self.public_url = ""
        self.admin_url = ""
        self._check_routes = check_routes
        self._including = checked.loaded.files.patterns
        self._beside = checked.beside
        self._rejected: list[Problem] = []
        """What keeps the files as they are now from being in force."""
        self._texts = checked.loaded.files.named_texts()
        self._handlers = checked.handlers
        self._store = store
        file = settings.database_file
        self._disk = (
            None
            if file is None  # the disk is another machine's
            else Disk(file, ballast=settings.ballast, reserve=settings.disk_reserve)
        )
        self._clock = clock
        self._redaction = redaction
        self._access = Access(None)
        self._started = False
        self._servers: list[Server] = []
        self._serving: list[asyncio.Task[None]] = []
        self._hurried = asyncio.Event()
        self._grace_ends: Micros = 0
        """On the monotonic clock, once it has begun."""
        self._reloading = asyncio.Lock()
        self._keeping = asyncio.Lock()
        self.telemetry = telemetry
        self.broken = asyncio.Event()
        """Set when the gateway cannot go on: then `break_off`, and end the process."""
        self._assemble()

    @classmethod
    async def open(
        cls,
        settings: Settings,
        *,
        environment: Mapping[str, str] = os.environ,
        clock: Clock | None = None,
        stand_in: Callable[[str], str] | None = None,
        progress: Callable[[str, int, int], None] | None = None,
        redaction: Redaction | None = None,
    ) -> "Service":
        """Check the routes file, and open the database.

        *redaction* is told every secret. *stand_in* tells, for an endpoint's name, the URL to use instead of its own, if any. *progress*
        is told how far many routes have been read.
        """
        redaction = Redaction() if redaction is None else redaction
        check_routes = partial(check, settings, environment, stand_in=stand_in, redaction=redaction)
        checked = check_routes(progress=progress)
        check_routes.keywords["progress"] = _log_progress
        if checked.routes is None:
            raise ConfigError(checked.problems)
        telemetry = Telemetry()
        store = await _open_store(settings, telemetry)
        service = cls(
            settings, check_routes, checked, store, clock or SystemClock(), redaction, telemetry
        )
        service.tell_warnings(checked)
        return service

    def _assemble(self) -> None:
        """Make the flows and join them."""
        clock, telemetry, store = self._clock, self.telemetry, self._store
        self._lanes = lanes = Lanes(secrets.randbits(30) << 32)
        lanes.configure(self.routes.endpoints)
        if self.settings.paused:
            lanes.hold(PAUSED)
        self._own = OwnAddresses()
        self._senders = make_senders(
            self.settings.egress,
            self._own,
            user_agent=f"rights-gateway/{__version__}",
            only_aiohttp=self.settings.sender == "aiohttp",
        )
        self._intake = Intake(
            store=store,
            disk=self._disk,
            lanes=lanes,
            clock=clock,
            telemetry=telemetry,
            broken=self.broken,
        )
        self._recorder = Recorder(store, lanes, clock, telemetry)
        self._traces = None if self.settings.traces == "off" else _traces(clock)
        self._deliver = Deliver(
            lanes=lanes,
            leases=store,
            acts=store,
            recorder=self._recorder,
            post=self._senders.post,
            call=self._senders.call,
            handler=lambda name: self._handlers.get(name),  # noqa: PLW0108  # those in force then
            clock=clock,
            telemetry=telemetry,
            redaction=self._redaction,
            follow=Follow(lambda: self.routes),
            makes_evidence=self.settings.evidence == "on",
            samples=None if self._traces is None else self._traces.samples,
        )
        know = Know(store)
        self._keep = Keep(
            know=know,
            routes=self.routes,
            store=store,
            lanes=lanes,
            deliver=self._deliver,
            clock=clock,
            telemetry=telemetry,
            first_serial=secrets.randbits(48),
        )
        self._tell = Tell(
            keep=self._keep, redact=self._redaction.redact, clock=clock, telemetry=telemetry
        )
        self._silence = Silence(
            routes=lambda: self.routes,
            tell=self._tell.tell,
            look_up=store,
            store=store,
            clock=clock,
            telemetry=telemetry,
        )
        self._claim = Claim(
            lanes=lanes,
            store=store,
            deliver=self._deliver,
            clock=clock,
            telemetry=telemetry,
            nodes=store.nodes,
        )
        self._nodes = nodes = None if store.nodes is None else self._as_one_of(store.nodes)
        self._reclaim = Reclaim(
            store=store,
            lanes=lanes,
            claim=self._claim,
            recorder=self._recorder,
            clock=clock,
            telemetry=telemetry,
            nodes=None if nodes is None else lambda: len(nodes.around),
        )
        self._refusals = Refusals(
            store=store, clock=clock, telemetry=telemetry, first_serial=secrets.randbits(48)
        )
        key = evidence_key(self.settings.evidence_key_file)
        self._prune = Prune(
            store=store,
            audit=store,
            retention=self.settings.kept,
            windows=lambda: {s.name: s.dedupe_window for s in self.routes.sources.values()},
            clock=clock,
            telemetry=telemetry,
            evidence=store.evidence,
            key=key,
            # Who starts it so wants to look at what was restored, and that is older than it was.
            paused=lambda: PAUSED in lanes.held_by,
        )
        self._erase = Erase(store=store, plans=store, audit=store, clock=clock, telemetry=telemetry)
        self._evidence = Evidence(store.evidence, key, clock, __version__)
        self._verify = Verify(self._senders.call, clock, telemetry)
        self._expire = Expire(store=store, clock=clock, telemetry=telemetry)
        self._late = Late(look_up=store, store=store, clock=clock, telemetry=telemetry)
        self._confirm = Confirm(
            look_up=store,
            store=store,
            keep=self._keep,
            inbox=store,
            clock=clock,
            telemetry=telemetry,
        )
        self._make_planned = MakePlanned(
            store=store, inbox=store, keep=self._keep, clock=clock, telemetry=telemetry
        )
        self._ingest = Ingest(
            keep=self._keep,
            store=store,
            verify=self._verify,
            clock=clock,
            telemetry=telemetry,
            refusals=self._refusals,
            intake=self._intake,
        )
        self._pollers = Pollers(
            routes=lambda: self.routes,
            keep=self._keep,
            store=store,
            sender=self._senders.call,
            check_room=self._intake.check,
            clock=clock,
            telemetry=telemetry,
            shared=store.nodes is not None,
        )
        self._publish = Publish(self.routes, clock)
        self._queries = Queries(self.routes, self._senders.call, clock, telemetry)
        self._answers = Answers(
            store, self._callbacks, Audit(store, clock, telemetry), clock, telemetry
        )
        self._operate = Operate(
            know=know,
            answers=self._answers,
            store=store,
            look_up=store,
            lanes=lanes,
            deliver=self._deliver,
            routes=lambda: self.routes,
            clock=clock,
            telemetry=telemetry,
        )
        self._bulk = Bulk(
            know=know,
            store=store.bulk,
            look_up=store,
            lanes=lanes,
            routes=lambda: self.routes,
            clock=clock,
            audit=Audit(store, clock, telemetry),
            telemetry=telemetry,
        )
        self._read_again = ReadAgain(
            look_up=store,
            store=store,
            keep=self._keep,
            routes=lambda: self.routes,
            clock=clock,
            audit=Audit(store, clock, telemetry),
        )
        self._carry_on = CarryOn(self._bulk, clock, telemetry)
        self._watchdog = Watchdog(telemetry, self._handler_places)
        self._backlog = backlog = Backlog(store, clock)
        self._history = History(backlog, clock, telemetry)
        self._loops: tuple[Loop, ...] = (
            self._intake.loop,
            self._recorder.loop,
            self._deliver.timer.loop,
            self._claim.loop,
            self._reclaim.loop,
            self._expire.loop,
            self._late.loop,
            self._confirm.loop,
            self._make_planned.loop,
            self._tell.loop,
            self._silence.loop,
            self._refusals.loop,
            self._prune.loop,
            self._carry_on.loop,
            self._history.loop,
            self._pollers.loop,
        )
        """In the order in which they start; they stop in the other one."""
        if self._nodes is not None:
            self._loops = (*self._loops, self._nodes.loop)
        self._listen()
        self._watcher = Watcher(self._watched_files, self._handler_packages, self.reload_routes)
        self._token_watcher: Watcher | None = None
        self._public = self._public_app()

    def _public_app(self) -> PublicApp:
        """What senders meet."""
        handshakes = Handshakes(self._keep_secret, self.telemetry)
        admit = Admit(self._clock, self.settings.trusted_proxy, self.settings.address_rate)
        return PublicApp(
            self._ingest,
            handshakes,
            admit,
            self._publish,
            QueryDoor(self._queries, admit),
            CallbackDoor(self._answers, admit),
            ready=self._ready,
        )

    def _listen(self) -> None:
        """Have whoever wants to know hear what the flows report."""
        clock, telemetry, backlog = self._clock, self.telemetry, self._backlog
        self._metrics = Metrics(
            Asked(
                lanes=self._operate.endpoints,
                file_in_force=lambda: not self._rejected,
                store=self._intake.status,
                commits=lambda: self._store.commits,
                lag=self._watchdog.lag,
                waiting=lambda: backlog.waiting,
                overdue=backlog.overdue,
                dead=lambda: backlog.dead,
                nodes=dict if self._nodes is None else self._nodes.gauges,
            )
        )
        telemetry.listen(LogListener(clock.monotonic))
        telemetry.listen(self._metrics)
        self._live = Live(clock)
        telemetry.listen(self._live)
        if self._traces is not None:
            telemetry.listen(self._traces, "events.kept", "events.replayed", "attempt.recorded")

    def _as_one_of(self, others: NodeStore) -> Nodes:
        """This gateway among those on its database."""
        node = Node(
            id=secrets.token_hex(8),
            name=socket.gethostname(),
            version=__version__,
            routes=self.routes.fingerprint,
            started_at=self._clock.now(),
            seen_at=0,
        )
        return Nodes(
            store=others,
            lanes=self._lanes,
            deliver=self._deliver,
            keep=self._keep,
            node=node,
            clock=self._clock,
            telemetry=self.telemetry,
        )

    # -- life --------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take over what an earlier run left, listen, and deliver."""
        sys.setswitchinterval(SWITCH_SECONDS)
        _take_files()
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)
        sockets: list[socket.socket] = []
        try:
            local_token = self._open_access()
            sockets.append(listen(self.settings.listen, "listen"))
            sockets.append(listen(self.settings.admin, "admin"))
        except BaseException:
            for sock in sockets:
                sock.close()
            await self.close()
            raise
        self._own.note(sockets)
        self.public_url, self.admin_url = map(url, sockets)
        try:
            await self._take_over()
        except BaseException:
            for sock in sockets:
                sock.close()
            await self.close()
            raise
        around = self._surroundings()
        self._servers = [self._public_server(), Server(admin_app(around))]
        for loop in self._loops:
            loop.start()
        for server, sock in zip(self._servers, sockets, strict=True):
            self._serving.append(asyncio.create_task(server.serve(sockets=[sock])))
            await server.listening.wait()
        self._watcher.start()
        if self._token_watcher is not None:
            self._token_watcher.start()
        self._watchdog.start()
        self._store.announce(
            public=self.public_url,
            admin=self.admin_url,
            token=local_token,
        )
        self._started = True
        if self.settings.paused:
            self.telemetry.emit("gateway.paused")

    def _surroundings(self) -> Surroundings:
        """What the admin listener shows and does."""
        shown = Shown(
            look_up=self._store,
            operate=self._operate,
            backlog=self._backlog,
            status=self.status,
            counts=self._metrics.routes,
            late=self._late.counts,
            clock=self._clock,
        )
        return Surroundings(
            look_up=self._store,
            shown=shown,
            operate=self._operate,
            bulk=self._bulk,
            carry_on=self._carry_on,
            read_again=self._read_again,
            pollers=self._pollers,
            register=self._store,
            prune=self._prune,
            erase=self._erase,
            evidence=self._evidence,
            status=self.status,
            in_force=lambda: self.routes,
            files=self.files,
            late=self._late.counts,
            metrics=self._metrics.exposition,
            backlog=self._backlog,
            history=self._history,
            live=self._live,
            access=self._access,
            clock=self._clock,
            hosts=(self.settings.admin[0], *self.settings.admin_host),
        )

    async def _take_over(self) -> None:
        """Learn from the store what an earlier run left."""
        key = await self._store.own_secret("callbacks", secrets.token_bytes(KEY_BYTES))
        self._callbacks.use(key, self.settings.public_url or self.public_url)
        await self._operate.restore_lanes()
        await self._intake.look()
        if self._nodes is None:  # else there are leases of others; they end by themselves
            try:
                await self._store.reclaim(FOREVER)
            except DiskFull:  # then they end by themselves, once there is room
                self.telemetry.emit("release.failed", error="the disk is full")
        self._keep.go_on_after(await self._store.latest_event())
        await self._claim.refresh()

    def _public_server(self) -> Server:
        connections, lingering = _connections(self.settings.max_connections)
        if connections < self.settings.max_connections:
            self.telemetry.emit("files.few", connections=connections)
        limits = Limits(
            connections=connections,
            lingering=lingering,
            in_flight_bytes=self.settings.max_in_flight,
            hosts=self.settings.hosts,
        )
        return Server(self._public, limits, partial(self._ingest.refused, UNKNOWN))

    async def stop(self, *, moment: Micros = 0) -> None:
        """Answer 503 for a *moment*, stop listening, finish what is under way, return the rest."""
        self.telemetry.emit("gateway.draining", grace_seconds=self.settings.grace / SECOND)
        self._public.draining = True
        await self._watcher.stop()
        if self._token_watcher is not None:
            await self._token_watcher.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(moment / SECOND):
                await self._hurried.wait()
        self._live.close()
        for server in self._servers:
            server.should_exit = True
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._claim.loop.stop()
        grace = 0 if self._hurried.is_set() else self.settings.grace
        self._grace_ends = self._clock.monotonic() + grace
        await self._deliver.drain(grace)
        await self.close()
        self.telemetry.emit("gateway.stopped")

    def loop_failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Hear of an exception that nobody caught; one that nothing recovers from ends the gateway.

        Where uvloop cannot make a connection, for lack of memory perhaps, it closes the listening handle for
        good, and says so by an exception alone. The kernel goes on to accept connections, which nobody reads.
        """
        if context.keys() == {"exception"}:
            self.broken.set()
            self.telemetry.emit("listener.lost", error=repr(context["exception"]))
        loop.default_exception_handler(context)

    def hurry(self) -> None:
        """Have `stop` wait for nothing any more: attempts under way go back on schedule."""
        self._hurried.set()
        self._deliver.abandon()

    async def break_off(self) -> None:
        """Answer what is being asked, and leave everything else as it is: the database above all."""
        self._public.draining = True
        self._live.close()
        for server in self._servers:
            server.should_exit = True
        await asyncio.wait(self._serving, timeout=LAST_ANSWERS_SECONDS)

    async def close(self) -> None:
        """Let go of everything, where it was opened and not started."""
        for loop in reversed(self._loops):
            await loop.stop()
        await self._pollers.close()
        await self._refusals.close()
        await self._tell.close()
        self._watchdog.stop()
        if self._nodes is not None:
            with contextlib.suppress(StoreUnavailable):  # then its shares come free by themselves
                await self._nodes.leave()
        await self._verify.close()
        await self._queries.close()
        await self._senders.close()
        await self._store.close()
        if self._traces is not None:
            await asyncio.to_thread(self._traces.close, self._grace_left() / SECOND)

    def _grace_left(self) -> Micros:
        return 0 if self._hurried.is_set() else self._grace_ends - self._clock.monotonic()

    def _open_access(self) -> str | None:
        """Learn who may use the admin API: the token by which this machine's commands do.

        It lasts as long as the process, and stands beside the database, readable for whoever can
        read that. None: on loopback, without a file of tokens, everyone may.
        """
        path, (host, _) = self.settings.admin_token_file, self.settings.admin
        if path is None:
            if not is_loopback(host):
                problem = Problem(
                    file="--admin",
                    line=0,
                    column=0,
                    code="admin-token",
                    what=f"the admin API would be open to everyone who reaches {host}",
                    cure="add --admin-token-file FILE (it is made if it is not there), or listen on 127.0.0.1",
                )
                raise ConfigError([problem])
            return None
        if not path.exists():
            self.new_token = make_tokens(path)
        self._token_watcher = Watcher(lambda: [path.absolute()], tuple, self._reload_tokens)
        local_token = secrets.token_urlsafe(32)
        self._access = Access(read_tokens(path), local_token)
        return local_token

    async def _keep_secret(self, source: Source, secret: str) -> bool:
        """Put a secret that came by a handshake where the source looks for it, if it has none yet."""
        path = Path(source.secret_file or "")
        async with self._keeping:
            try:
                if await asyncio.to_thread(path.exists):
                    held = await asyncio.to_thread(path.read_text, encoding="utf-8")
                    return held.strip() == secret != ""
                if (
                    not secret.isascii()
                    or not secret.isprintable()
                    or len(secret) < SHORTEST_SECRET
                ):
                    return False
                await asyncio.to_thread(write_private, path, f"{secret}\n".encode())
            except (OSError, UnicodeDecodeError):
                return False
            checked = await self.reload_routes()
            if checked.routes is None:  # the source cannot use it: it must not keep the file faulty
                await asyncio.to_thread(path.unlink, missing_ok=True)
                await self.reload_routes()
        return checked.routes is not None

    # -- routes ------------------------------------------------------------------------------------

    async def reload(self) -> Checked:
        """Put the file of tokens and the routes files in force as they are now."""
        await self._reload_tokens()
        return await self.reload_routes()

    async def reload_routes(self) -> Checked:
        """Put the routes files in force as they are now; bad or absent ones change nothing.

        They are read and indexed in a thread, so that events are taken meanwhile.
        """
        async with self._reloading:
            checked = await asyncio.to_thread(self._check_routes)
            self._including = checked.loaded.files.patterns
            self._beside = checked.beside
            self._rejected = checked.loaded.errors
            if checked.routes is None:
                self.telemetry.emit(
                    "routes.rejected",
                    problems=[
                        str(problem) for problem in checked.problems if problem.severity == "error"
                    ],
                    in_force=self.routes.fingerprint,
                )
                await self._operate.note("reload", str(self.settings.routes), ConfigError.code)
                return checked
            await self._operate.note("reload", checked.routes.fingerprint)
            await self._put_in_force(checked, checked.routes)
            self.tell_warnings(checked)
        return checked

    async def _reload_tokens(self) -> None:
        """Know the tokens that the file lists now; where it is faulty, those of before."""
        if self.settings.admin_token_file is None:
            return
        try:
            changed = self._access.use(read_tokens(self.settings.admin_token_file))
        except ConfigError as error:
            self.telemetry.emit("tokens.rejected", problem=str(error))
            await self._operate.note("tokens", str(self.settings.admin_token_file), error.code)
        else:
            if changed:
                self.telemetry.emit("tokens.reloaded")
                await self._operate.note("tokens", str(self.settings.admin_token_file))

    def tell_warnings(self, checked: Checked) -> None:
        """Report what is doubtful about routes that are in force."""
        for problem in checked.problems:
            self.telemetry.emit("routes.warning", problem=str(problem))

    async def _put_in_force(self, checked: Checked, routes: Routes) -> None:
        self.routes = routes = replace(routes, callbacks=self._callbacks)
        self._handlers = checked.handlers
        self._texts = checked.loaded.files.named_texts()
        await self._operate.use_endpoints(routes.endpoints)
        self._ingest.use(routes)
        self._publish.use(routes)
        self._pollers.loop.wake()
        self._queries.use(routes)
        if self._nodes is not None:
            self._nodes.use(routes.fingerprint)
        gc.freeze()  # an index is large, and lives until the next
        await self._claim.refresh()  # what waited for an endpoint that is new, or back
        self._lanes.wake()
        self.telemetry.emit("routes.reloaded", fingerprint=routes.fingerprint)

    def _watched_files(self) -> list[Path]:
        """The routes file, those that it includes, and those with its secrets."""
        first = self.settings.routes.absolute()
        more = [file for base, pattern in self._including for file in included(base, pattern)]
        return [first, *(file.absolute() for file in more), *sorted(self._beside)]

    def _handler_packages(self) -> set[str]:
        """The top folders that the handlers in force come from."""
        endpoints = self.routes.endpoints.values()
        return {e.handler.partition(":")[0].partition(".")[0] for e in endpoints if e.handler}

    def _handler_places(self) -> list[Path]:
        """Where the code of the handlers in force is."""
        home = self.settings.routes.parent.absolute()
        return [
            home / name
            for package in self._handler_packages()
            for name in (package, f"{package}.py")
        ]

    # -- state -------------------------------------------------------------------------------------

    def status(self) -> dict[str, Json]:
        """What /readyz tells an operator."""
        return {
            "ready": self._ready(),
            "version": __version__,
            "routes": {
                "file": str(self.settings.routes),
                "fingerprint": self.routes.fingerprint,
                "sources": len(self.routes.sources),
                "endpoints": len(self.routes.endpoints),
                "routes": len(self.routes.routes),
                "unverified": [s.name for s in self.routes.sources.values() if not s.verified],
                "rejected": [str(problem) for problem in self._rejected],
            },
            "held_by": sorted(self._lanes.held_by),
            "nodes": [] if self._nodes is None else self._nodes.shown(),
            "store": self._intake.status(),
            "polls": self._pollers.shown(),
        }

    def files(self) -> dict[str, Json]:
        """The routes files in force, as they were read."""
        return {
            "version": __version__,
            "fingerprint": self.routes.fingerprint,
            "files": [{"name": name, "text": text.decode()} for name, text in self._texts],
        }

    @property
    def at_rest(self) -> bool:
        """Whether no attempt is under way or about to be, and the outcomes of all are written down."""
        return not any(lane.held for lane in self._lanes) and not self._recorder.tokens()

    @property
    def due_at(self) -> Micros | None:
        """When the next attempt is due at an open endpoint, as far as is known; None: none is."""
        due = [lane.due_at for lane in self._lanes if lane.is_open and lane.due_at is not None]
        return min(due, default=None)

    async def is_to_be_sent(self, delivery: DeliveryId) -> bool:
        """Whether an attempt at a delivery is under way, or may follow by itself."""
        parsed = parse_delivery_id(delivery)
        query = {"event": parsed[0], "n": parsed[1]} if parsed else {"event": ""}
        found = await self._store.deliveries(query)
        return any(State(row["state"]) not in FINAL for row in found)

    def takes(self, endpoint: str) -> bool:
        """Whether attempts at *endpoint* may begin."""
        lane = self._lanes.get(endpoint)
        return lane is not None and lane.is_open

    def _ready(self) -> bool:
        return self._started and not self._public.draining and self._intake.ready


async def _open_store(settings: Settings, telemetry: Telemetry) -> "SqliteStore | PostgresStore":
    keys, skip = read_keys(settings.encryption_key), settings.skip_backup
    key = evidence_key(settings.evidence_key_file) if settings.evidence == "on" else None
    if settings.database_url is not None:
        return await _postgres().open(settings.database_url, keys, telemetry, evidence=key)
    file = settings.database_file or DATABASE
    try:
        return await SqliteStore.open(file, keys, telemetry, skip_backup=skip, evidence=key)
    except DiskFull:
        release(ballast_path(file))
        return await SqliteStore.open(file, keys, telemetry, skip_backup=skip, evidence=key)


def _postgres() -> "type[PostgresStore]":
    """The engine whose library is an extra."""
    with postgres_extra("--database"):
        from gateway.store.postgres import PostgresStore  # noqa: PLC0415
    return PostgresStore


def _traces(clock: Clock) -> "Traces":
    """Spans, by the library that is an extra."""
    with extra("otel", "opentelemetry", "makes spans", "--traces"):
        from gateway.traces import Traces  # noqa: PLC0415
    return Traces(__version__, clock)


def _connections(wanted: int) -> tuple[int, int]:
    """How many connections senders may hold open, and how many refused ones may linger.

    Where there are few file descriptors, fewer than *wanted*: a connection for which there is none
    could not even be told so, and endpoints and the database need some too.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return wanted, MOST_LINGERING
    senders = max(files - OWN_FILES, files // 2)
    lingering = min(MOST_LINGERING, senders // 4)
    return min(wanted, senders - lingering), lingering


def _take_files() -> None:
    """Have as many file descriptors as may be: those who connect must not use up all that calls need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _log_progress(what: str, done: int, total: int) -> None:
    """Say how far a reload of very many routes has come."""
    if total >= MANY_ROUTES and done % (total // 5) < 500:
        logging.getLogger("gateway").info(what, extra={"done": done, "total": total})
