"""`gateway backup`, `prune`, `erase`, on a gateway that runs."""

import json
import re
from collections import Counter

import pytest

from gateway.cli import maintain

PERSON = "customer/4711"


def sent(running, n: int) -> str:
    event = {
        "specversion": "1.0", "id": f"m-{n}", "source": "/me", "type": "person.moved",
        "subject": PERSON, "data": {"name": "s3nsitive"},
    }  # fmt: skip
    (running.folder / "person.json").write_text(json.dumps(event))
    return json.loads(running.call("send", "person.json", "--json").stdout)["id"]


def test_a_subject_is_erased_when_it_is_confirmed_and_not_before(running):
    name = sent(running, 1)
    told = running.call("erase", "--subject", PERSON, "--dry-run")
    assert told.stdout.strip() == "1 event would be erased, 0 deliveries cancelled"
    asked = running.call("erase", "--subject", PERSON)
    assert (asked.returncode, "--yes" in asked.stderr) == (2, True)
    assert json.loads(running.call("events", name, "--json").stdout)["erased_at"] is None
    done = running.run("erase", "--subject", PERSON, "--yes", "--json")
    assert json.loads(done.stdout) == {
        "events": 1, "cancelled": 0, "under_way": 0, "log_emptied": True,
    }  # fmt: skip
    assert "erased" in running.call("events", name).stdout
    database = running.folder / "data"
    assert not any(b"s3nsitive" in file.read_bytes() for file in database.glob("gateway.db*"))
    again = running.call("erase", "--subject", PERSON)
    assert (again.returncode, again.stdout[:8]) == (0, "0 events")


class Erasing:
    """Answers as a gateway would which has these many events under way, call by call."""

    def __init__(self, *under_way: int) -> None:
        self.under_way = list(under_way)

    def post(self, _path, *, query):
        left = self.under_way.pop(0)
        return {"events": 1, "cancelled": 1, "under_way": left, "log_emptied": True, "next": None}


@pytest.mark.parametrize(("under_way", "left"), [([2, 1, 0], 0), ([1] * maintain.MOST_TIMES, 1)])
def test_what_is_being_sent_is_waited_for_before_it_is_erased(monkeypatch, under_way, left):
    monkeypatch.setattr(maintain, "PAUSE_SECONDS", 0)
    done = maintain.erase_all(Erasing(*under_way), PERSON)
    assert (done["events"], done["under_way"]) == (len(under_way), left)


@pytest.mark.parametrize(
    ("events", "dry_run", "told"),
    [
        (1, False, "1 event is erased, 1 delivery cancelled"),
        (2000, False, "2,000 events are erased, 1 delivery cancelled"),
        (1, True, "1 event would be erased, 1 delivery cancelled"),
    ],
)
def test_one_event_is_erased_and_two_are(capsys, events, dry_run, told):
    maintain._tell_erased(Counter(events=events, cancelled=1), dry_run=dry_run, as_json=False)
    assert capsys.readouterr().out == f"{told}\n"


def test_an_erased_event_is_not_explained_and_it_is_said_why(running):
    name = sent(running, 2)
    assert running.call("erase", "--subject", PERSON, "--yes").returncode == 0
    told = running.call("explain", name)
    assert (told.returncode, f"what the event {name} said was erased" in told.stderr) == (1, True)
    replayed = running.call("replay", name)
    assert (replayed.returncode, "was erased" in replayed.stderr) == (1, True)


def test_nothing_of_age_is_nothing_pruned(running):
    told = running.call("prune", "--dry-run")
    assert re.match(r"0 events, 0 entries of the inbox, .* would go", told.stdout)
    assert json.loads(running.run("prune", "--json").stdout) == {
        "events": 0, "inbox": 0, "once": 0, "audit": 0, "operations": 0, "dry_run": False,
    }  # fmt: skip


@pytest.mark.parametrize("place", ["copy.db", "data/copy.db"])
def test_a_copy_is_said_to_be_made_and_never_over_another(running, place):
    made = running.run("backup", place)
    assert (made.returncode, "its integrity is checked" in made.stdout) == (0, True)
    again = running.call("backup", place)
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert f"{place} is there already" in again.stderr


def test_a_database_that_is_not_there_is_named(running):
    told = running.call("backup", "x.db", "--database", "gone.db")
    assert (told.returncode, "there is no database gone.db" in told.stderr) == (1, True)
