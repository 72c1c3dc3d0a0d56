"""Keys, as they are kept."""

from gateway.core.keys import LONGEST, bounded


def test_a_key_stays_what_it_is_as_long_as_an_index_can_hold_it():
    assert bounded("k" * LONGEST) == "k" * LONGEST


def test_a_long_key_goes_by_its_digest_and_two_of_them_are_told_apart():
    one, other = bounded("k" * 8000), bounded("k" * 8001)
    assert one != other
    assert one == bounded("k" * 8000)
    assert len(one) < LONGEST
    assert bounded("\ud800" * 300).startswith("sha256:")
