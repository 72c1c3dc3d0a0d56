"""Where and for what a restriction forbids to use an image, as far as a text such as "NO USE IN FRANCE" says so.

Restrictions are free text. What these rules find is a help to route by, and no reading of the contract: what they do
not find may be forbidden all the same, so events carry the text too.
"""

import re
from collections.abc import Iterable

COUNTRIES = {
    "ARGENTINA": "AR", "AUSTRALIA": "AU", "AUSTRIA": "AT", "BELGIUM": "BE", "BRAZIL": "BR", "BULGARIA": "BG",
    "CANADA": "CA", "CHILE": "CL", "CHINA": "CN", "COLOMBIA": "CO", "CROATIA": "HR", "CZECH REPUBLIC": "CZ",
    "CZECHIA": "CZ", "DENMARK": "DK", "EGYPT": "EG", "ESTONIA": "EE", "FINLAND": "FI", "FRANCE": "FR",
    "GERMANY": "DE", "GREAT BRITAIN": "GB", "GREECE": "GR", "HONG KONG": "HK", "HUNGARY": "HU", "ICELAND": "IS",
    "INDIA": "IN", "INDONESIA": "ID", "IRELAND": "IE", "ISRAEL": "IL", "ITALY": "IT", "JAPAN": "JP",
    "LATVIA": "LV", "LITHUANIA": "LT", "LUXEMBOURG": "LU", "MALAYSIA": "MY", "MEXICO": "MX", "NETHERLANDS": "NL",
    "NEW ZEALAND": "NZ", "NORWAY": "NO", "PHILIPPINES": "PH", "POLAND": "PL", "PORTUGAL": "PT", "ROMANIA": "RO",
    "RUSSIA": "RU", "SAUDI ARABIA": "SA", "SERBIA": "RS", "SINGAPORE": "SG", "SLOVAKIA": "SK", "SLOVENIA": "SI",
    "SOUTH AFRICA": "ZA", "SOUTH KOREA": "KR", "SPAIN": "ES", "SWEDEN": "SE", "SWITZERLAND": "CH", "TAIWAN": "TW",
    "THAILAND": "TH", "TURKEY": "TR", "UKRAINE": "UA", "UAE": "AE", "UNITED ARAB EMIRATES": "AE",
    "UNITED KINGDOM": "GB", "U.K": "GB", "UK": "GB", "UNITED STATES": "US", "U.S.A": "US", "USA": "US", "U.S": "US",
    "IN US": "US", "THE US": "US", "VIETNAM": "VN",
}  # fmt: skip
"""`US` alone is as often a word: `contact us`."""
CHANNELS = {
    "web": r"WEB|WEBSITES?|INTERNET|ONLINE|DIGITAL",
    "social": r"SOCIAL MEDIA|SOCIAL NETWORKS?",
    "print": r"PRINT|PRINTED|NEWSPAPERS?|MAGAZINES?",
    "ooh": r"BILLBOARDS?|OUTDOOR|OUT[- ]OF[- ]HOME|POSTERS?",
    "tv": r"TV|TELEVISION|BROADCAST(?:ING)?",
    "email": r"E-?MAILS?|NEWSLETTERS?",
}

_SENTENCE = re.compile(r"[;\n]+|(?<!\b[A-Z])\.\s+")
"""Not after `U.S.`."""
_OPEN = re.compile(r"\b(EXCEPT|EXCLUDING|EXCLUDES|OUTSIDE|OTHER THAN|UNLESS|ONLY)\b")
"""A sentence with one of these may allow what it names."""
_FORBIDS = re.compile(
    r"\b(?:NO|NOT (?:FOR|TO BE)|NEVER)\b(?:\W+\w+){0,3}?\W+"
    r"(?:USED?|USAGE|USES|SALES?|SOLD|RESALE|PUBLICATION|PUBLISHED|DISTRIBUTION|DISTRIBUTED|LICENSING|SYNDICATION)\b(.*)"
)
_NO_CHANNEL = re.compile(
    rf"\bNO\W+({'|'.join(CHANNELS.values())})\b(?:\W+(?:USE|USAGE|RIGHTS)\b|\W*$)"
)
_OUT = re.compile(r"(.*)\bOUT\W*$")
_COUNTRY = re.compile(
    "|".join(
        rf"(?<!\w){re.escape(each)}(?!\w)" for each in sorted(COUNTRIES, key=len, reverse=True)
    )
)


def territories_blocked(restrictions: Iterable[str]) -> list[str]:
    """Countries (ISO 3166-1 alpha-2) in which it may not be used, sorted."""
    found = {
        COUNTRIES[country]
        for sentence in _sentences(restrictions)
        for country in _COUNTRY.findall(_where(sentence))
    }
    return sorted(found)


def channels_blocked(restrictions: Iterable[str]) -> list[str]:
    """Channels by which it may not be used, in the order of CHANNELS."""
    named = " ; ".join(_by_what(sentence) for sentence in _sentences(restrictions))
    return [name for name, words in CHANNELS.items() if re.search(rf"\b(?:{words})\b", named)]


def _sentences(restrictions: Iterable[str]) -> list[str]:
    found = [part for text in restrictions for part in _SENTENCE.split(text.upper())]
    return [part.strip() for part in found if not _OPEN.search(part)]


def _where(sentence: str) -> str:
    """What of it names the places that are forbidden: `NO USE IN FRANCE`, `FRANCE OUT`."""
    if forbids := _FORBIDS.search(sentence):
        return forbids[1]
    out = _OUT.search(sentence)
    return out[1] if out else ""


def _by_what(sentence: str) -> str:
    """What of it names the channels that are forbidden: `NO USE ON THE INTERNET`, `NO INTERNET USE`, `NO TV`."""
    found = [each[1] for each in _NO_CHANNEL.finditer(sentence)]
    if forbids := _FORBIDS.search(sentence):
        found.append(forbids[0])
    return " ; ".join(found)
