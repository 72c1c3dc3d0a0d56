"""Whether events can be taken now, and whether attempts may begin: as far as the store can write it down.

Four things stand in the way: a commit has just failed; the disk has little room; too much waits to be
committed; the database is broken. All but the last end by themselves. A sender is told at once, before
its body is read, because a refusal that comes after a timeout is none.

While commits fail, one that changes nothing is tried every second: a load balancer that was told that
the gateway is not ready sends nothing by which it could notice that it is again.
"""

import asyncio
from contextlib import suppress

from gateway.core.capacity import Capacity, judge, may_deliver
from gateway.core.errors import DiskFull, StoreBroken, StoreUnavailable
from gateway.core.model import SECOND, Json, Micros
from gateway.flows.lanes import Lanes
from gateway.flows.loop import Loop
from gateway.ports import Clock, CommitStore, Disk
from gateway.telemetry import Telemetry

EVERY = SECOND
"""A busy gateway writes a fraction of the reserve in that time."""

MIB = 1024 * 1024


class Intake:
    """Knows why nothing can be taken, if so; holds the lanes while outcomes could not be recorded."""

    def __init__(
        self,
        *,
        store: CommitStore,
        disk: Disk | None,
        lanes: Lanes,
        clock: Clock,
        telemetry: Telemetry,
        broken: asyncio.Event,
    ) -> None:
        self._store = store
        self._disk = disk
        self._lanes = lanes
        self._clock = clock
        self._telemetry = telemetry
        self._capacity = Capacity.ENOUGH
        self._free_bytes = 0
        self._refusal: StoreUnavailable | None = None
        self._failing = False
        self._lacks_ballast = False
        self._broken = broken
        """Set where the database may be used no more: the process has to end."""
        self.loop = Loop("intake", self._step, clock, telemetry)
        store.on_change = self._store_changed

    def check(self) -> None:
        """Raise StoreUnavailable or StoreBehind where an event that comes now could not be kept soon."""
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)
        self._store.check_room()

    @property
    def ready(self) -> bool:
        """Whether events can be taken, and not only because many come at once."""
        return self._refusal is None and not self._store.stuck

    def status(self) -> dict[str, Json]:
        """What an operator wants to know of it."""
        refusal = self._refusal
        state, reason = "ok", ""
        if refusal is not None:
            state, reason = refusal.code, str(refusal)
        elif self._store.stuck:
            state, reason = "storage-behind", "commits take longer than they may"
        shown: dict[str, Json] = {
            "state": state,
            "reason": reason,
            "waiting": self._store.waiting,
            "waited_seconds": round(self._store.waited_seconds, 3),
        }
        if self._disk is not None:
            shown["free_bytes"] = self._free_bytes
            shown["ballast"] = self._disk.has_ballast
        return shown

    async def look(self) -> None:
        """Look at the disk, and act on what it has."""
        await self._look(failed=False)

    # -- the store ---------------------------------------------------------------------------------

    def _store_changed(self) -> None:
        """A commit failed, or one succeeded after that; nobody else knows yet."""
        failure = self._store.failure
        if self._broken.is_set():  # whatever it says now
            return
        if failure is None:
            self._failing = False
            self._refusal = self._no_room()
            self._telemetry.emit("store.recovered")
            self._lanes.let_go("store")
            return
        self._refusal = failure
        if isinstance(failure, StoreBroken):
            self._telemetry.emit("store.broken", error=str(failure))
            self._broken.set()
        if not self._failing:  # not at every probe that fails
            self._failing = True
            self._telemetry.emit("store.unavailable", error=str(failure))
            self._lanes.hold("store")
            self.loop.wake()

    async def _step(self) -> Micros | None:
        failure = self._store.failure
        if self._broken.is_set():
            return None
        await self._look(failed=isinstance(failure, DiskFull))
        if failure is not None:
            with suppress(StoreUnavailable):  # `_store_changed` has heard of it
                await self._store.probe()
        return self._clock.now() + EVERY

    # -- the disk ----------------------------------------------------------------------------------

    async def _look(self, *, failed: bool) -> None:
        disk = self._disk
        if disk is None:
            return
        before, self._free_bytes = self._capacity, disk.free_bytes()
        self._capacity = judge(
            before,
            self._free_bytes,
            reserve_bytes=disk.reserve_bytes,
            ballast_bytes=0 if disk.has_ballast else disk.ballast_bytes,
            failed=failed,
        )
        if self._capacity is Capacity.NONE:
            disk.release_ballast()
        elif self._capacity is Capacity.ENOUGH and not disk.has_ballast:
            had_room = await asyncio.to_thread(disk.make_ballast)
            if before is Capacity.NONE and not had_room:
                self._capacity = before  # a quota: what is free is for others
            else:
                self._tell_of_ballast(disk)
        self._free_bytes = disk.free_bytes()
        self._hold_for_room(disk)
        if self._capacity is not before:
            self._tell(before)
        if self._store.failure is None:
            self._refusal = self._no_room()

    def _hold_for_room(self, disk: Disk) -> None:
        if may_deliver(self._capacity, self._free_bytes, ballast_bytes=disk.ballast_bytes):
            if "disk" in self._lanes.held_by:
                self._lanes.let_go("disk")
        else:
            self._lanes.hold("disk")

    def _tell(self, before: Capacity) -> None:
        free = {"free_bytes": self._free_bytes}
        match self._capacity:
            case Capacity.ENOUGH:
                self._telemetry.emit("disk.recovered", **free)
            case Capacity.LITTLE:
                self._telemetry.emit("disk.low", **free)
            case Capacity.NONE:
                self._telemetry.emit("disk.full", was=before.value, **free)

    def _tell_of_ballast(self, disk: Disk) -> None:
        """Say that there is none though there is room for one; once, until there is one."""
        if disk.has_ballast:
            self._lacks_ballast = False
        elif not self._lacks_ballast:
            self._lacks_ballast = True
            self._telemetry.emit("disk.without_ballast", ballast_bytes=disk.ballast_bytes)

    def _no_room(self) -> DiskFull | None:
        if self._capacity is Capacity.ENOUGH:
            return None
        left = f"has {self._free_bytes // MIB} MiB left"
        if self._capacity is Capacity.NONE:  # of which a quota may let us have nothing
            left = "is full, or a quota used up"
        return DiskFull(
            f"the disk of the database {left}",
            cure="free some space, or enlarge the disk; the gateway goes on by itself",
        )
