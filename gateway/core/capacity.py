"""How much room the disk of the database has, and what may be done with so much.

Three states. Where there is enough, everything is done. Where there is `little`, less than the
reserve, no new events are taken, so that what is stored can still be delivered and written down.
Where there is `none` the ballast is thrown off: outcomes can be recorded, and rows deleted, in the
room that it leaves. Back from either takes somewhat more room than it takes to get there, or the
gateway would go to and fro with every file that comes and goes.
"""

from enum import StrEnum


class Capacity(StrEnum):
    """How much room there is."""

    ENOUGH = "enough"
    LITTLE = "little"
    NONE = "none"


FLOOR_SHARE = 4
"""Below a quarter of the reserve the ballast goes, before a commit has to fail."""


def judge(
    before: Capacity, free_bytes: int, *, reserve_bytes: int, ballast_bytes: int, failed: bool
) -> Capacity:
    """What to make of so much free room; *failed* says that a commit has found none.

    Before the ballast is thrown off, *free_bytes* does not include it; afterwards it does.
    """
    if failed:
        return Capacity.NONE
    to_return = reserve_bytes + reserve_bytes // FLOOR_SHARE
    if before is Capacity.NONE:
        return Capacity.ENOUGH if free_bytes >= to_return + ballast_bytes else Capacity.NONE
    if free_bytes < reserve_bytes // FLOOR_SHARE:
        return Capacity.NONE
    if free_bytes < (reserve_bytes if before is Capacity.ENOUGH else to_return):
        return Capacity.LITTLE
    return Capacity.ENOUGH


def may_deliver(now: Capacity, free_bytes: int, *, ballast_bytes: int) -> bool:
    """Whether attempts may begin: half of the ballast's room is for those who make room."""
    return now is not Capacity.NONE or free_bytes > ballast_bytes // 2
