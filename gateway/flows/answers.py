"""Answers to what routes have asked (core/awaits.py), given by a link or by an operator; the first counts."""

from typing import NamedTuple

from gateway.core.access import AuditEntry, Caller
from gateway.core.awaits import UNNAMED, Asked, Reply, Verdict
from gateway.core.callbacks import Callbacks, Place
from gateway.core.errors import ParameterInvalid, PathUnknown, QuestionAnswered, QuestionOver
from gateway.core.model import SECOND, EventId, rfc3339
from gateway.core.plans import AWAITS
from gateway.flows.audit import Audit
from gateway.ports import Clock, PlanStore
from gateway.telemetry import Telemetry

LINK = Caller("link", frozenset())
"""Whoever has a link: nobody knows who that is."""
LONGEST_NAME = 100
"""Characters, in the audit log."""
AGAIN = "look for a newer question about it, or have it asked again"


class Given(NamedTuple):
    """An answer as a person gives it."""

    answer: str
    by: str | None = None
    reason: str | None = None


def _by(given: Given) -> str:
    """What was typed as the name of who answers, for the audit log."""
    return "" if given.by is None else f" by {given.by[:LONGEST_NAME]}"


class Answers:
    """Takes answers, and says what is asked."""

    def __init__(
        self,
        store: PlanStore,
        callbacks: Callbacks,
        audit: Audit,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._store = store
        self._audit = audit
        self._callbacks = callbacks
        self._clock = clock
        self._telemetry = telemetry

    async def question(self, token: str) -> tuple[Place, Asked]:
        """What a link leads to. Raises PathUnknown where this gateway did not make it, and QuestionOver."""
        place = self._callbacks.place(token)
        if place is None:
            raise PathUnknown("there is nothing at this path", cure="follow the whole link")
        asked = await self._store.asked(f"{AWAITS}{place.route}", place.key, place.event_id)
        if asked.answered is None and (
            asked.until is None or place.until <= self._clock.now() // SECOND
        ):
            raise QuestionOver("nobody is waited for any more", cure=AGAIN)
        return place, asked

    async def by_link(self, token: str, given: Given, address: str = "") -> Verdict:
        """Take the answer that a link gives, or that is chosen where it leaves a choice; the verdict on it.

        The same answer again is no fault. Raises as `question`, and QuestionAnswered and ParameterInvalid.
        """
        place, asked = await self.question(token)
        if place.answer and given.answer not in ("", place.answer):
            what = f"this link says {place.answer}, and what is posted says {given.answer}"
            raise ParameterInvalid(what, cure="follow the link of the answer that is meant")
        if place.answer:
            given = given._replace(answer=place.answer)
        planner = f"{AWAITS}{place.route}"
        what = f"{place.route}/{place.key} {given.answer}"
        entry = self._audit.entry(LINK.at(address), "answer", what + _by(given))
        verdict = await self._give(asked, planner, place.key, place.event_id, given, entry)
        if verdict.decided:
            self._audit.report(entry)
        return verdict

    async def give(
        self, planner: str, key: str, event_id: EventId, given: Given, entry: AuditEntry | None
    ) -> Verdict:
        """Take an answer; as `by_link`."""
        asked = await self._store.asked(planner, key, event_id)
        return await self._give(asked, planner, key, event_id, given, entry)

    async def _give(
        self,
        asked: Asked,
        planner: str,
        key: str,
        event_id: EventId,
        given: Given,
        entry: AuditEntry | None,
    ) -> Verdict:
        if asked.answers and given.answer not in asked.answers:
            cure = f"choose one of {', '.join(asked.answers)}"
            raise ParameterInvalid(f"the answer cannot be {given.answer or 'empty'}", cure=cure)
        now = self._clock.now()
        by = UNNAMED if given.by is None else {"id": given.by}
        answer = Reply(planner, key, given.answer, now, by, given.reason, event_id)
        verdict = await self._store.decide(answer, now, entry)
        if verdict.decided:
            self._telemetry.emit(
                "question.answered", route=answer.route, key=key, answer=given.answer, by=given.by
            )
        elif verdict.answered is None:
            raise QuestionOver("nobody is waited for any more", cure=AGAIN)
        elif verdict.answered != given.answer:
            at = "" if verdict.answered_at is None else f" at {rfc3339(verdict.answered_at)}"
            raise QuestionAnswered(
                f"it was answered {verdict.answered}{at}", cure="have it asked again"
            )
        return verdict
