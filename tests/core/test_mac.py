"""MACs are those of RFC 2104, whatever key and hash."""

import hmac

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.mac import mac

NAMES = st.sampled_from(["md5", "sha1", "sha256", "sha384", "sha512"])


@given(st.binary(max_size=300), st.binary(max_size=5000), NAMES)
def test_a_mac_is_what_the_standard_library_says(key, content, name):
    assert mac(key, content, name) == hmac.digest(key, content, name)
