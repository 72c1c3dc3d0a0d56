"""Evidence through the admin API, of a gateway that works."""

import json
from hashlib import sha256

import aiohttp
import pytest

from gateway.core.errors import StoreUnavailable
from gateway.core.proof import verify
from gateway.testing import Gateway


async def lines_of(gateway, **query: str) -> tuple[int, list[bytes]]:
    async with (
        aiohttp.ClientSession(gateway.service.admin_url) as session,
        session.get("/api/v1/evidence", params=query) as answer,
    ):
        return answer.status, (await answer.read()).splitlines()


async def test_it_tells_whom_an_event_was_told_with_which_answer(gateway):
    gateway.endpoint("pager").reply(500, body=b"not now: s3nsitive")
    name = (
        await gateway.send(
            "getty", {"type": "license.expired", "subject": "license/1", "data": {"a": 1}}
        )
    )["id"]
    await gateway.settled()
    status, lines = await lines_of(gateway, event=name)
    proof = verify(lines)
    assert (status, proof.faults) == (200, [])
    attempts = [each for entry, _ in proof.entries for each in entry.get("attempts", [])]
    failed = [each for each in attempts if each["endpoint"] == "pager"]
    assert {each["status"] for each in failed} == {500}
    assert {each["answer"] for each in failed} == {sha256(b"not now: s3nsitive").hexdigest()}
    assert failed[-1]["state"] == "dead"
    assert all(each["to"].startswith("http://127.0.0.1:") for each in attempts)
    (sent,) = {each["sent"] for each in attempts}
    event = await gateway.service._store.event(name)
    assert sent == sha256(event.envelope).hexdigest()
    assert b"s3nsitive" not in b"".join(lines)


async def test_a_parameter_that_is_none_is_refused(gateway):
    status, lines = await lines_of(gateway, nothing="x")
    assert (status, json.loads(lines[0])["code"]) == (400, "parameter-invalid")
    assert (await lines_of(gateway, since="yesterday"))[0] == 400


async def test_a_store_that_cannot_be_read_is_told_before_the_first_line(gateway, monkeypatch):
    async def fail():
        raise StoreUnavailable("the database is gone")

    monkeypatch.setattr(gateway.service._store.evidence, "chains", fail)
    assert (await lines_of(gateway))[0] == 503


@pytest.mark.parametrize(
    ("evidence", "digest"), [("on", sha256(b"fine").hexdigest()), ("off", None)]
)
async def test_answers_are_digested_for_evidence_alone(routes_file, evidence, digest):
    async with Gateway(routes_file, evidence=evidence) as gateway:
        gateway.endpoint("pager").reply(200, body=b"fine")
        answers = {}
        gateway.service.telemetry.listen(
            lambda _, f: answers.update({f["delivery"].endpoint: f["attempt"].answer}),
            "attempt.recorded",
        )
        await gateway.send("getty", {"type": "license.expired", "data": {}})
        await gateway.settled()
    assert answers["pager"] == digest
