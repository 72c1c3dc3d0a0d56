"""An event in, its deliveries out."""

from gateway.core.errors import ExpressionFailed
from gateway.core.model import BodyForm, Failure, Routed
from gateway.core.routes import EndpointConfig
from gateway.core.routing import plan
from tests.kit.build import an_event, some_routes

EXPIRING = {"type": "license.expiring"}


def test_every_matching_route_makes_its_deliveries_numbered_in_order():
    routes = some_routes((EXPIRING, "cms"), ({"type": "other"}, "cms"), ({}, "alerting"))
    routed = plan(an_event(), routes)
    assert [(d.n, d.route, d.endpoint) for d in routed.deliveries] == [
        (0, "route-0", "cms"),
        (1, "route-2", "alerting"),
    ]
    assert not routed.failures


def test_an_event_that_no_route_matches_has_no_deliveries():
    assert plan(an_event(), some_routes(({"type": "other"}, "cms"))) == Routed()


def test_a_template_is_rendered_when_the_event_is_routed():
    endpoint = EndpointConfig(
        name="cms", url="http://127.0.0.1:9/", form=BodyForm.OWN,
        render=lambda variables: variables["event"]["type"].encode(),
    )  # fmt: skip
    (delivery,) = plan(an_event(), some_routes((EXPIRING, "cms"), cms=endpoint)).deliveries
    assert delivery.content() == ("application/json", b"license.expiring")


def test_a_template_that_fails_costs_only_its_own_delivery_and_is_named():
    def fails(_variables):
        raise ExpressionFailed("`event.data.x`: there is no x")

    broken = EndpointConfig(name="cms", url="http://127.0.0.1:9/", form=BodyForm.OWN, render=fails)
    routes = some_routes((EXPIRING, "cms"), (EXPIRING, "alerting"), cms=broken)
    routed = plan(an_event(), routes)
    assert [d.endpoint for d in routed.deliveries] == ["alerting"]
    detail = "route route-0, endpoint cms: `event.data.x`: there is no x"
    assert routed.failures == [Failure("route-0", "expression-failed", detail, to_inbox=True)]
