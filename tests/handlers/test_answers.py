"""How answers of vendors' APIs are read, whatever the vendor."""

import json

import pytest

from gateway import Response, Undeliverable, Unsuccessful
from gateway.core.model import SECOND
from gateway.core.retry import retry_after
from handlers.answers import Api

NOW = 1_795_000_000 * SECOND


def answer(status: int, body=None, **headers: str) -> Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(
        status=status, headers=names, body=b"" if body is None else json.dumps(body).encode()
    )


def failure(api: Api, given: Response) -> Response:
    with pytest.raises(Unsuccessful) as raised:
        api.expect(given)
    return raised.value.answer


def test_a_success_and_an_expected_failure_pass():
    api = Api(vendor="X")
    assert api.expect(answer(204)).status == 204
    assert api.expect(answer(404), 404, 409).status == 404


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"errors": [{"message": "no such field"}]}, "X answers 422: no such field"),
        ({"errors": [], "why": 1}, 'X answers 422: {"errors": [], "why": 1}'),
        ({"errors": [{"message": "m" * 600}]}, f"X answers 422: {'m' * 500}"),
        (None, "X answers 422: nothing"),
    ],
)
def test_what_is_final_is_told_in_the_vendors_words(body, told):
    with pytest.raises(Undeliverable) as raised:
        Api(vendor="X", message="errors.0.message").expect(answer(422, body))
    assert str(raised.value) == told


def test_a_code_may_be_final_whatever_the_status():
    api = Api(vendor="X", code="errors.0.extensions.code", final_codes={"NEVER"})
    with pytest.raises(Undeliverable, match="X answers 500 NEVER"):
        api.expect(answer(500, {"errors": [{"extensions": {"code": "NEVER"}}]}))
    assert failure(api, answer(500, {"errors": "NEVER"})).status == 500


@pytest.mark.parametrize(
    ("form", "text", "seconds"),
    [
        ("seconds", "7", 7),
        ("seconds", "0.2", 1),
        ("seconds", "-3", 0),
        ("unix", "1795000060", 60),
        ("iso", "2026-11-18T11:07:40Z", 60),
        ("iso", "2026-11-18T12:07:40+01:00", 60),
        ("iso", "soon", 0),
        ("unix", "soon", 0),
        ("unix", "inf", 0),
        ("seconds", "nan", 0),
    ],
)  # fmt: skip
def test_a_vendors_own_header_says_when_to_come_back(form, text, seconds):
    api = Api(vendor="X", reset="x-reset", reset_form=form)
    given = failure(api, answer(429, x_reset=text))
    assert retry_after(given, NOW) == seconds * SECOND


def test_retry_after_goes_before_a_header_of_the_vendors_own():
    api = Api(vendor="X", reset="x-reset", rest_seconds=300)
    assert failure(api, answer(429, x_reset="7", retry_after="2")).headers["retry-after"] == "2"


def test_a_vendor_that_says_nothing_is_given_its_rest_after_429_alone():
    api = Api(vendor="X", rest_seconds=300)
    assert failure(api, answer(429)).headers["retry-after"] == "300"
    assert "retry-after" not in failure(api, answer(503)).headers
    assert "retry-after" not in failure(api, answer(500)).headers
