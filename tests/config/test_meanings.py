"""What fields mean: the text below each."""

import subprocess
import sys

from pydantic import BaseModel

from gateway.config.meanings import meanings


class First(BaseModel):
    """A model."""

    one: int = 1
    """The first."""
    two: int = 2
    three: int = 3
    """The third,
    in two lines."""


class Second(First):
    one: int = 10
    """The first, said anew."""
    four: int = 4
    """The fourth."""


def test_a_field_means_what_the_text_below_it_says():
    assert meanings(First) == {"one": "The first.", "three": "The third,\nin two lines."}


def test_inherited_fields_keep_their_meaning_until_another_is_given():
    assert meanings(Second) == {
        "one": "The first, said anew.", "three": "The third,\nin two lines.", "four": "The fourth.",
    }  # fmt: skip


def test_no_source_is_read_until_a_meaning_is_asked_for():
    code = "import gateway.loading, linecache; print(len(linecache.cache))"
    assert subprocess.check_output([sys.executable, "-c", code]) == b"0\n"
