"""What has changed of an asset, and what that comes to."""

import pytest

from gateway.core.errors import PollFailed
from gateway.core.getty_images import asset_of, images_of
from gateway.core.restrictions import channels_blocked, territories_blocked
from gateway.core.terms import TERMS, changes, severity
from tests.kit.cases import check_each
from tests.kit.getty import an_image, restricted

FIELDS = ("allowed_use", "license_model", "product_types", "call_for_image", "collection_code")


def asset(**more):
    return asset_of("1", an_image(**more), FIELDS)


def test_each_change_of_terms_is_tighter_or_looser_or_neither():
    def check(case):
        before, after, expected = case
        found = changes(asset(**before), asset(**after), TERMS)
        assert (severity(found) if found else None) == expected

    some, other = restricted("NO USE IN FRANCE"), restricted("NO USE IN SPAIN")
    cases = {
        "nothing": ({}, {}, None),
        "a restriction more": ({}, {"allowed_use": some}, "tightened"),
        "one fewer": ({"allowed_use": some}, {}, "loosened"),
        "another": ({"allowed_use": some}, {"allowed_use": other}, "tightened"),
        "their order": (
            {"allowed_use": restricted("A", "B")}, {"allowed_use": restricted("B", "A")}, None,
        ),
        "a product more": ({"product_types": []}, {}, "loosened"),
        "one product fewer": ({}, {"product_types": []}, "tightened"),
        "another product": ({}, {"product_types": ["imagepack"]}, "unknown"),
        "has to be called for": ({}, {"call_for_image": True}, "tightened"),
        "need not be called for": ({"call_for_image": True}, {}, "loosened"),
        "rights managed": ({}, {"license_model": "rightsmanaged"}, "tightened"),
        "royalty free": ({"license_model": "rightsmanaged"}, {}, "loosened"),
        "an unknown model": ({}, {"license_model": "rightsready"}, "unknown"),
        "no model": ({"license_model": None}, {}, "unknown"),
        "other words": ({}, {"allowed_use": {**some, "usage_restrictions": [], "release_info": "x"}}, "unknown"),
        "the collection": ({}, {"collection_code": "X"}, "unknown"),
        "looser and unclear": ({"call_for_image": True}, {"collection_code": "X"}, "unknown"),
        "looser and tighter": (
            {"call_for_image": True}, {"product_types": []}, "tightened",
        ),
        "nothing said of what is allowed": ({"allowed_use": some}, {"allowed_use": None}, None),
    }  # fmt: skip
    check_each(cases.items(), check)


def test_what_was_never_asked_for_has_not_changed():
    before = asset_of("1", {"license_model": "royaltyfree"}, ("license_model",))
    assert changes(before, asset(license_model="royaltyfree"), TERMS) == []


def test_what_getty_leaves_out_is_there_as_nothing():
    found = asset_of("1", {}, ("title", "keywords", "allowed_use", "summary_set"))
    assert (found["title"], found["keywords"], found["allowed_use"]) == (None, [], None)
    assert (found["preview_uri"], found["detail_uri"]) == (None, None)
    assert "summary_set" not in found
    assert asset_of("1", {"artist": "x"}, ("summary_set",))["artist"] == "x"


def test_fields_may_be_spelled_as_in_any_version():
    image = {
        "allowedUse": {"howCanIUseIt": "x", "usageRestrictions": ["NO TV"]}, "LicenseModel": "royaltyfree",
        "displaySizes": [{"Name": "comp", "Uri": "https://media.example.com/c"}],
    }  # fmt: skip
    found = asset_of("1", image, ("allowed_use", "license_model", "detail_set"))
    assert found["allowed_use"]["usage_restrictions"] == ["NO TV"]
    assert (found["allowed_use"]["how_can_i_use_it"], found["license_model"]) == (
        "x",
        "royaltyfree",
    )
    assert found["preview_uri"] == "https://media.example.com/c"
    assert set(found) == {
        "id", "provider", "asset_type", "allowed_use", "license_model", "preview_uri", "detail_uri",
    }  # fmt: skip


def test_a_field_that_is_no_list_any_more_is_no_fault():
    found = changes(asset(), asset(product_types="all"), TERMS)
    assert severity(found) == "tightened"


def test_terms_come_first_so_that_they_are_found():
    assert list(asset())[3:8] == list(FIELDS)


def test_an_answer_that_is_none_of_images_says_nothing_of_them():
    for answer in (None, [], {"images": "x"}, {"images": [{"title": "x"}]}):
        with pytest.raises(PollFailed, match="nothing of 1 of 1 images"):
            images_of(["1"], answer, FIELDS)


def test_where_it_is_forbidden_is_found_in_the_text():
    def check(case):
        text, territories, channels = case
        assert territories_blocked([text]) == territories
        assert channels_blocked([text]) == channels

    cases = [
        ("NO USE IN FRANCE", ["FR"], []),
        ("Not for use in Germany or Austria without consent.", ["AT", "DE"], []),
        ("FRANCE OUT", ["FR"], []),
        ("AUSTRALIA OUT, NEW ZEALAND OUT", ["AU", "NZ"], []),
        ("No sales in the U.S. or Canada", ["CA", "US"], []),
        ("NO USE IN US", ["US"], []),
        ("NO USE IN THE U.K. AFTER JUNE", ["GB"], []),
        ("No use in the United States of America. No use in Italy.", ["IT", "US"], []),
        ("NO USE OUTSIDE FRANCE", [], []),
        ("No use in publications except in Japan", [], []),
        ("NO USE WITHOUT CONTACTING US", [], []),
        ("Contact your local office for all commercial or promotional uses.", [], []),
        ("No model release for a person photographed in France", [], []),
        ("NO COMMERCIAL USE", [], []),
        ("NO INTERNET USE", [], ["web"]),
        ("NO TV", [], ["tv"]),
        ("Not to be used online or on billboards in Spain", ["ES"], ["web", "ooh"]),
        ("No social media. No print", [], ["social", "print"]),
    ]
    check_each(((case[0], case) for case in cases), check)
