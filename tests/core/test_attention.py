"""What needs a person."""

from gateway.core.attention import troubles
from tests.kit.build import NOW


def test_status_tells_what_needs_a_person_and_whom_to_ask():
    state = {
        "ready": True,
        "store": {"state": "ok", "reason": ""},
        "routes": {"rejected": ["routes.yaml:3:1: unknown-key: unknown key; remove it"]},
        "endpoints": [],
        "held_by": [],
        "nodes": [
            {"name": "one", "this": True, "lost": False, "routes": "r1"},
            {"name": "two", "this": False, "lost": False, "routes": "r2"},
        ],
        "late": {},
        "stats": {"dead": {}, "scheduled": {}},
        "failing": [
            {"route": "reviews", "owner": "rights-team", "events": 2},
            {"route": "(all)", "owner": None, "events": 1},
        ],
    }
    differing, faulty, failing, too_wide = (each.text for each in troubles(state, 0, NOW))
    assert differing.startswith("the node two goes by other routes, r2, than this one")
    assert "the former one stays in force: 1 error, routes.yaml:3:1" in faulty
    assert failing.startswith("expressions of the route reviews (rights-team) failed for 2 events")
    assert too_wide.startswith("1 event could not be matched with any route")
