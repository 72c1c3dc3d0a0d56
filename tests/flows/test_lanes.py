"""Lanes: places, leases, and when to claim."""

from gateway.core.model import SECOND
from gateway.core.routes import EndpointConfig
from gateway.flows.lanes import FEWEST_PLACES, LEASE_MARGIN, Lanes
from tests.kit.build import NOW, a_delivery


def lanes_for(**concurrency: int) -> Lanes:
    lanes = Lanes(100)
    lanes.configure(
        {
            name: EndpointConfig(name=name, url="http://x/", concurrency=n)
            for name, n in concurrency.items()
        }
    )
    return lanes


def reserved(lanes: Lanes, count: int, endpoint: str = "cms") -> int:
    deliveries = [a_delivery(endpoint=endpoint) for _ in range(count)]
    lanes.reserve(deliveries, NOW)
    return sum(d.lease is not None for d in deliveries)


def test_places_are_bounded_and_the_rest_is_scheduled():
    lanes = lanes_for(cms=8)
    assert lanes["cms"].places == FEWEST_PLACES
    assert reserved(lanes, FEWEST_PLACES + 5) == FEWEST_PLACES
    assert reserved(lanes, 1) == 0


def test_a_wide_lane_has_twice_its_concurrency():
    assert lanes_for(cms=100)["cms"].places == 200


def test_one_full_lane_takes_nothing_from_another():
    lanes = lanes_for(cms=8, pager=8)
    reserved(lanes, 500, "cms")
    assert reserved(lanes, 10, "pager") == 10


def test_a_lease_lasts_an_attempt_and_a_margin_with_a_token_of_its_own():
    lanes = lanes_for(cms=8)
    one, two = a_delivery(), a_delivery()
    lanes.reserve([one, two], NOW)
    assert one.lease.until == NOW + 20 * SECOND + LEASE_MARGIN
    assert one.lease.token != two.lease.token


def test_what_was_not_kept_gives_its_place_back():
    lanes = lanes_for(cms=8)
    delivery = a_delivery()
    lanes.reserve([delivery], NOW)
    lanes.give_back([delivery])
    assert (lanes["cms"].held, delivery.lease) == (0, None)


def test_while_older_ones_are_due_half_of_the_places_are_theirs():
    lanes = lanes_for(cms=8)
    lanes.note_due("cms", NOW)
    assert reserved(lanes, 100) == FEWEST_PLACES // 2


def test_what_is_due_later_keeps_no_places():
    lanes = lanes_for(cms=8)
    lanes.note_due("cms", NOW + 1)
    assert reserved(lanes, 100) == FEWEST_PLACES


def test_a_closed_or_held_lane_leases_nothing():
    lanes = lanes_for(cms=8, pager=8)
    lanes["cms"].state = "paused"
    assert reserved(lanes, 1) == 0
    assert reserved(lanes, 1, "pager") == 1
    lanes.hold("store")
    assert reserved(lanes, 1, "pager") == 0
    lanes.let_go("store")
    assert reserved(lanes, 1, "pager") == 1


def test_a_lane_claims_only_once_a_fair_number_fits():
    lanes = lanes_for(cms=8)
    lane = lanes["cms"]
    assert lane.claimable(NOW) == 0
    lanes.note_due("cms", NOW)
    assert lane.claimable(NOW) == FEWEST_PLACES
    lane.running = FEWEST_PLACES - 3
    assert lane.claimable(NOW) == 0


def test_the_earliest_due_moment_counts_and_wakes_who_claims():
    lanes, woken = lanes_for(cms=8), []
    lanes.wake = lambda: woken.append(1)
    for due_at in (NOW + 5, NOW + 9, NOW + 3):
        lanes.note_due("cms", due_at)
    assert (lanes["cms"].due_at, len(woken)) == (NOW + 3, 2)
    lanes.note_due("unknown", NOW)


def test_a_reload_closes_the_lanes_of_endpoints_that_went_and_opens_them_when_they_return():
    lanes = lanes_for(cms=8, pager=8)
    cms = EndpointConfig(name="cms", url="http://x/", concurrency=2)
    lanes.configure({"cms": cms})
    assert (lanes["pager"].state, lanes["cms"].endpoint.concurrency) == ("gone", 2)
    lanes.configure({"cms": cms, "pager": EndpointConfig(name="pager", url="http://y/")})
    assert lanes["pager"].is_open


def test_a_reload_does_not_open_what_was_paused():
    lanes = lanes_for(cms=8)
    lanes["cms"].state = "paused"
    lanes.configure({"cms": EndpointConfig(name="cms", url="http://x/")})
    assert lanes["cms"].state == "paused"
