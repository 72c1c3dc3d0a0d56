"""The word that was probably meant, for cures."""

from collections.abc import Sequence
from difflib import get_close_matches

MOST = 12
"""Names that are told."""


def nearest(word: str, known: Sequence[str]) -> str:
    """The known name that *word* was probably meant to be, as the start of a cure; or the choice."""
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f'did you mean "{close[0]}"?'
    more = ", …" if len(known) > MOST else ""
    shown = ", ".join(sorted(known)[:MOST]) or "(none)"
    return f"known: {shown}{more}"
