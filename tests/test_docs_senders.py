"""docs/senders.md has everyone whom the gateway knows, and its sources read what they send.

That they are accepted is tested with the other examples, in test_docs_examples.py.
"""

import re
from collections.abc import Iterator
from hashlib import sha256

import orjson
import pytest
import yaml

from gateway.config.handshakes import handshake_presets
from gateway.config.verifiers import presets
from gateway.core.errors import CannotSign
from gateway.core.model import Json
from gateway.core.routes import Source
from gateway.core.verifying import Sending
from gateway.testing import Gateway
from tests.test_docs import ROOT, anchors, rows
from tests.test_docs_examples import GIVEN, accepted, blocks, posted, put_routes

PAGE = ROOT / "docs/senders.md"
ROWS = rows(PAGE, "Sender")


def section(heading: str) -> str:
    """A sender's section, as far as the next one."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.search(
        rf"^### {re.escape(heading)}\n(.*?)(?=^##|\Z)", text, re.DOTALL | re.MULTILINE
    )
    assert found is not None, f"{PAGE.name} has no section {heading}"
    return found[1]


def sources_in(text: str) -> dict[str, dict[str, Json]]:
    """The sources of the examples in a text, by name."""
    examples = re.findall(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return {
        name: source
        for example in examples
        for name, source in yaml.safe_load(example).get("sources", {}).items()
    }


def named(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def used(sources: dict[str, dict[str, Json]], key: str) -> Iterator[str]:
    """The presets under a key of these sources."""
    for source in sources.values():
        given = source.get(key)
        for each in given if isinstance(given, list) else [given]:
            if isinstance(each, dict) and "preset" in each:
                yield each["preset"]


# -- who is there --------------------------------------------------------------------------------------


def test_every_preset_is_in_the_table_and_no_other():
    assert {name for row in ROWS for name in named(row[1])} == set(presets())


def test_every_handshake_is_in_the_table_and_no_other():
    assert {name for row in ROWS for name in named(row[2])} == set(handshake_presets())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_sender_of_the_table_has_a_section_with_its_presets(row):
    link = re.fullmatch(r"\[(.+)\]\(#(.+)\)", row[0])
    assert link is not None
    sources = sources_in(section(link[1]))
    assert named(row[1]) - set(used(sources, "verify")) == set()
    assert named(row[2]) - set(used(sources, "handshake")) == set()
    assert link[2] in anchors(PAGE)


def test_every_section_is_in_the_table_in_its_order():
    headings = re.findall(r"^### (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [re.sub(r"\[(.+)\].*", r"\1", row[0]) for row in ROWS] == headings


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_section_says_where_the_secret_is_and_what_is_signed(row):
    text = section(re.sub(r"\[(.+)\].*", r"\1", row[0]))
    assert [word for word in ("Signed", "indow") if word not in text] == []
    assert "**There**" in text or "`X-Signature`" in text


# -- what they send ------------------------------------------------------------------------------------

AT = "2026-11-20T09:14:03Z"
FORM = "application/x-www-form-urlencoded"


def written(body: Json) -> bytes:
    """A body as it is sent: JSON, where it is not bytes already."""
    return body if isinstance(body, bytes) else orjson.dumps(body)


def sns(message: Json, **fields: Json) -> dict[str, Json]:
    return {"Type": "Notification", "Message": orjson.dumps(message).decode(), **fields}


SENT: dict[str, tuple[dict[str, str], Json, list[tuple[str, str | None]]]] = {
    "contentful": (
        {"x-contentful-topic": "ContentManagement.Asset.publish"},
        {"sys": {"type": "Asset", "id": "wtrHxeu3zEoEce2MokCSi"}, "fields": {}},
        [("ContentManagement.Asset.publish", "Asset/wtrHxeu3zEoEce2MokCSi")],
    ),
    "cloudinary": (
        {},
        {"notification_type": "upload", "timestamp": AT, "public_id": "djhwzdkpjsgwaoazitsa"},
        [("cloudinary.upload", "djhwzdkpjsgwaoazitsa")],
    ),
    "cloudinary-sha256": (
        {}, {"notification_type": "delete", "timestamp": AT}, [("cloudinary.delete", None)],
    ),
    "frontify": (
        {},
        {
            "event": {"action": "ASSET_UPDATED", "occurredAt": AT, "payload": [{"assetId": "7"}]},
            "meta": {"webhookId": "1", "isSampleEvent": False},
        },
        [("frontify.ASSET_UPDATED", "asset/7")],
    ),
    "bynder": (
        {},
        sns({"media_id": "9-A"}, Subject="asset_bank.media.meta_updated"),
        [("asset_bank.media.meta_updated", "asset/9-A")],
    ),
    "box": (
        {},
        {
            "type": "webhook_event", "id": "eb0c4e06", "created_at": "2026-07-11T10:10:32-07:00",
            "trigger": "FILE.UPLOADED", "source": {"id": "73835521473", "type": "file"},
        },
        [("box.FILE.UPLOADED", "file/73835521473")],
    ),
    "dropbox": (
        {},
        {"list_folder": {"accounts": ["dbid:AAH4", "dbid:AAH5"]}, "delta": {"users": [1]}},
        [("dropbox.changed", "dbid:AAH4"), ("dropbox.changed", "dbid:AAH5")],
    ),
    "jira": (
        {},
        {"webhookEvent": "jira:issue_updated", "timestamp": 1, "issue": {"key": "LIC-12"}},
        [("jira:issue_updated", "LIC-12")],
    ),
    "asana": (
        {},
        {
            "events": [
                {
                    "created_at": AT, "action": "changed", "change": {"field": "due_at"},
                    "resource": {"gid": "1337", "resource_type": "task"}, "parent": None,
                },
                {
                    "created_at": AT, "action": "deleted",
                    "resource": {"gid": "1337", "resource_type": "task"},
                },
            ]
        },
        [("asana.task.changed", "task/1337"), ("asana.task.deleted", "task/1337")],
    ),
    "todoist": (
        {},
        {"event_name": "item:completed", "event_data": {"id": "6XR4GqQQCW6Gv9h4"}, "user_id": "2"},
        [("todoist.item:completed", "6XR4GqQQCW6Gv9h4")],
    ),
    "zendesk": (
        {},
        {
            "type": "zen:event-type:ticket.created", "id": "2b24", "subject": "zen:ticket:12",
            "time": "2026-11-20T09:14:03.123456789Z", "event": {}, "detail": {"id": "12"},
        },
        [("zen:event-type:ticket.created", "zen:ticket:12")],
    ),
    "slack": (
        {},
        {
            "type": "event_callback", "event_id": "Ev08MFMKH6", "team_id": "T1",
            "event": {"type": "reaction_added"}, "event_time": 1234567890,
        },
        [("slack.reaction_added", "team/T1")],
    ),
    "alerts": (
        {},
        {
            "version": "4", "status": "firing",
            "alerts": [
                {
                    "status": "firing", "labels": {"alertname": "DiskFull"}, "annotations": {},
                    "startsAt": AT, "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "a6a9",
                }
            ],
        },
        [("alert.firing", "DiskFull")],
    ),
    "okta": (
        {},
        {
            "eventType": "com.okta.event_hook", "cloudEventsVersion": "0.1", "eventId": "b5a1",
            "data": {
                "events": [
                    {
                        "uuid": "0718", "published": "2026-11-20T09:14:03.123Z",
                        "eventType": "user.lifecycle.deactivate", "actor": {"id": "00u1"},
                    }
                ]
            },
        },
        [("okta.user.lifecycle.deactivate", "00u1")],
    ),
    "workos": (
        {},
        {"id": "wh_07FKJ843CVE8F7BXQSPFH0M53V", "event": "dsync.user.created", "data": {"id": "d1"}},
        [("workos.dsync.user.created", "d1")],
    ),
    "github": (
        {"x-github-event": "push"},
        {"ref": "refs/heads/main", "repository": {"full_name": "acme/site"}},
        [("github.push", "acme/site")],
    ),
    "old-github": (
        {"x-github-event": "push"},
        {"repository": {"full_name": "acme/site"}},
        [("github.push", "acme/site")],
    ),
    "gitea": (
        {"x-gitea-event": "push"},
        {"repository": {"full_name": "acme/site"}},
        [("gitea.push", "acme/site")],
    ),
    "bitbucket": (
        {"x-event-key": "repo:push", "x-request-uuid": "9f1d"},
        {"repository": {"full_name": "acme/site"}},
        [("bitbucket.repo:push", "acme/site")],
    ),
    "gitlab": (
        {},
        {"object_kind": "push", "project": {"path_with_namespace": "acme/site"}},
        [("gitlab.push", "acme/site")],
    ),
    "old-gitlab": (
        {"idempotency-key": "f5e5"},
        {"object_kind": "push"},
        [("gitlab.push", None)],
    ),
    "shopify": (
        {"x-shopify-topic": "orders/create"},
        {"id": 820982911946154508, "admin_graphql_api_id": "gid://shopify/Order/820982911946154508"},
        [("shopify.orders/create", "gid://shopify/Order/820982911946154508")],
    ),
    "stripe": (
        {},
        {"id": "evt_1", "object": "event", "type": "invoice.paid", "data": {"object": {"id": "in_1"}}},
        [("stripe.invoice.paid", "in_1")],
    ),
    "paypal": (
        {},
        {
            "id": "WH-1", "create_time": "2026-11-20T09:14:03.123Z",
            "event_type": "PAYMENT.CAPTURE.COMPLETED", "resource": {"id": "42311647XV020574X"},
        },
        [("paypal.PAYMENT.CAPTURE.COMPLETED", "42311647XV020574X")],
    ),
    "square": (
        {},
        {
            "merchant_id": "6SSW", "type": "payment.updated", "event_id": "6a8f", "created_at": AT,
            "data": {"type": "payment", "id": "hYy9", "object": {}},
        },
        [("square.payment.updated", "hYy9")],
    ),
    "paddle": (
        {},
        {
            "event_id": "evt_01h", "event_type": "transaction.completed",
            "occurred_at": "2026-11-20T09:14:03.123456Z", "data": {"id": "txn_01h"},
        },
        [("paddle.transaction.completed", "txn_01h")],
    ),
    "adyen": (
        {},
        {"type": "balancePlatform.transfer.created", "environment": "test", "data": {"id": "3JNC"}},
        [("adyen.balancePlatform.transfer.created", "3JNC")],
    ),
    "hubspot": (
        {},
        [
            {
                "eventId": 1, "subscriptionId": 12345, "occurredAt": 1564113600000,
                "subscriptionType": "contact.creation", "objectId": 123,
            }
        ],
        [("hubspot.contact.creation", "123")],
    ),
    "zoom": (
        {},
        {"event": "meeting.started", "event_ts": 1626230691572, "payload": {"object": {"id": "1111"}}},
        [("zoom.meeting.started", "1111")],
    ),
    "discord": (
        {},
        {
            "version": 1, "application_id": "1", "type": 1,
            "event": {"type": "ENTITLEMENT_CREATE", "timestamp": "2026-11-20T09:14:03.000000"},
        },
        [("discord.ENTITLEMENT_CREATE", None)],
    ),
    "discord-interactions": (
        {}, {"id": "846462639134605312", "type": 2, "data": {}}, [("discord.interaction", None)],
    ),
    "meta": (
        {},
        {"object": "whatsapp_business_account", "entry": [{"id": "8856", "changes": [{}]}]},
        [("meta.whatsapp_business_account", "8856")],
    ),
    "x": ({}, {"for_user_id": "2244994945", "tweet_create_events": []}, [("x.activity", "user/2244994945")]),
    "line": (
        {},
        {
            "destination": "U1",
            "events": [
                {"type": "message", "webhookEventId": "01FZ", "source": {"type": "user", "userId": "U4"}}
            ],
        },
        [("line.message", "U4")],
    ),
    "twilio": (
        {},
        [
            {
                "specversion": "1.0", "id": "EZ1", "time": "2026-11-20T09:14:03.123Z", "data": {},
                "type": "com.twilio.messaging.message.delivered",
            }
        ],
        [("com.twilio.messaging.message.delivered", None)],
    ),
    "twilio-form": (
        {"content-type": FORM},
        b"MessageSid=SM1&MessageStatus=delivered&To=%2B4930",
        [("twilio.message.delivered", "message/SM1")],
    ),
    "sendgrid": (
        {},
        [{"event": "bounce", "sg_event_id": "ZGVm", "sg_message_id": "14c5", "timestamp": 1}],
        [("sendgrid.bounce", "14c5")],
    ),
    "sns": (
        {},
        sns({"type": "asset.updated", "subject": "asset/7"}),
        [("asset.updated", "asset/7")],
    ),
    "graph": (
        {},
        {
            "value": [
                {
                    "subscriptionId": "7f10", "changeType": "updated", "clientState": "s",
                    "resource": "drives/root", "resourceData": {},
                }
            ]
        },
        [("graph.updated", "drives/root")],
    ),
    "event-grid": (
        {},
        [
            {
                "id": "831e", "subject": "/blobServices/default/a.jpg", "data": {},
                "eventType": "Microsoft.Storage.BlobCreated", "eventTime": "2026-11-20T09:14:03.9584103Z",
            }
        ],
        [("Microsoft.Storage.BlobCreated", "/blobServices/default/a.jpg")],
    ),
    "ledger": ({}, {"id": "1", "kind": "entry"}, [("ledger.entry", None)]),
    "archive": ({}, {"id": "1", "kind": "entry"}, [("archive.entry", None)]),
    "intranet": ({}, {"id": "1", "kind": "entry"}, [("intranet.entry", None)]),
}  # fmt: skip
"""By source: headers and body of a request, as far as mappings read them, and the type and subject
of the events it makes. The bodies are shortened from the senders' own pages."""


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> dict[str, Source]:
    """All sources of the page, by name."""
    found: dict[str, Source] = {}
    for i, (_, example) in enumerate(blocks("docs/senders.md", "yaml")):
        file = put_routes(tmp_path_factory.mktemp(f"e{i}"), f"version: 1\n{example}")
        routes = accepted(file).routes
        assert routes is not None
        assert found.keys() & routes.sources.keys() == set()
        found |= routes.sources
    return found


def test_every_mapping_has_a_request():
    mapped = {name for name, source in sources_in(PAGE.read_text()).items() if "event" in source}
    assert set(SENT) == mapped


@pytest.mark.parametrize("name", list(SENT))
def test_a_mapping_reads_what_its_sender_sends(name, known):
    headers, body, expected = SENT[name]
    raw = {key.encode(): value.encode() for key, value in headers.items()}
    events = posted(known[name], written(body), raw)
    made = [(e.attributes["type"], e.attributes.get("subject")) for e in events]
    assert made == expected


@pytest.mark.parametrize("name", list(SENT))
def test_an_event_has_a_key_by_which_a_repetition_is_told(name, known):
    headers, body, _ = SENT[name]
    raw = {key.encode(): value.encode() for key, value in headers.items()}
    events = posted(known[name], written(body), raw)
    source = known[name]
    by_scheme = getattr(source.verifier, "id_header", None) or source.confirmation
    without = by_scheme or name in {"dropbox", "graph"}
    assert [event.key for event in events if not without and event.key is None] == []


def test_a_button_of_slack_is_a_form_with_json_in_it(known):
    button = b"payload=%7B%22type%22%3A%22block_actions%22%2C%22trigger_id%22%3A%2212.3%22%7D"
    (event,) = posted(known["slack"], button, {b"content-type": FORM.encode()})
    assert (event.type, event.key, event.data["type"]) == (
        "slack.block_actions",
        "12.3",
        "block_actions",
    )


def test_the_end_of_a_subscription_is_no_event(known):
    body = {"Type": "UnsubscribeConfirmation", "Message": "You have chosen to deactivate …"}
    for name in ("sns", "bynder"):
        assert posted(known[name], orjson.dumps(body)) == []


# -- how they sign -------------------------------------------------------------------------------------

SHOWN = {"alerts", "events", "intranet", "okta", "old-gitlab"}
"""Sources whose secret is shown as it is: what is sent with it is not signed."""
ONLY_THEY_SIGN = {
    "bynder",
    "discord",
    "discord-interactions",
    "partner",
    "paypal",
    "register",
    "sendgrid",
    "sns",
}
BY_URL = {"event-grid", "event-grid-cloudevents", "events-by-url", "graph"}


async def test_what_a_sender_signs_is_taken_and_not_once_it_is_changed(tmp_path, monkeypatch):
    for name, key in GIVEN.items():
        monkeypatch.setenv(name, key)
    sources = sources_in(PAGE.read_text(encoding="utf-8"))
    file = put_routes(tmp_path, yaml.safe_dump({"version": 1, "sources": sources}))
    (tmp_path / "secrets").mkdir(exist_ok=True)
    (tmp_path / "secrets/asana").write_text("brought by the handshake")
    wrong: dict[str, object] = {}
    unsigned = set()
    async with Gateway(file) as gateway:
        for name in sources:
            headers, content, _ = SENT.get(name, ({}, {"type": "asset.updated"}, []))
            body = written(content)
            target = f"/in/{name}"
            if name == "twilio":
                target += f"?bodySHA256={sha256(body).hexdigest()}"
            source = gateway.service.routes.sources[name]
            try:
                signed = source.verifier.sign(
                    Sending(body, gateway.clock.now(), request_id="msg_1", target=target.encode())
                )
            except CannotSign:
                unsigned.add(name)
                continue
            sent = {"content-type": "application/json", **headers, **signed}
            path = target.removeprefix("/in/")
            taken = await gateway.post(path, body, sent)
            changed = await gateway.post(path, body + b" ", sent)
            expected = (source.ack, source.ack if name in SHOWN else 401)
            if (taken["status"], changed["status"]) != expected or "inb_" in str(taken):
                wrong[name] = taken, changed
    assert wrong == {}
    assert unsigned == ONLY_THEY_SIGN | BY_URL
