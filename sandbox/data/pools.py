"""Pools of believable values: made once by Faker, then drawn from."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from faker import Faker

if TYPE_CHECKING:
    import random

LOCALES = ("en_US", "de_DE")
START = datetime(2019, 1, 1, tzinfo=UTC)
NAIVE_START = START.replace(tzinfo=None)
END = datetime(2025, 6, 30, tzinfo=UTC)
PAGE = 1500


# Ticks a second of .NET, which counts from the year 1.
TICKS = 10**7
EPOCH_IN_SECONDS = 62_135_596_800


class Person(NamedTuple):
    """A name and the matching email address."""

    first_name: str
    last_name: str
    full_name: str
    email: str


class Place(NamedTuple):
    """The parts of a postal address that belong together."""

    city: str
    postcode: str
    region: str
    country: str


class Company(NamedTuple):
    """Name, email address and website of a company."""

    company: str
    company_email: str
    url: str


class Currency(NamedTuple):
    """A currency with its exchange rate to the base currency."""

    currency_name: str
    currency_code: str
    currency_symbol: str
    currency_rate: str


CURRENCIES = (
    Currency("Euro", "EUR", "€", "1.000000000000"),
    Currency("US Dollar", "USD", "$", "1.083700000000"),
    Currency("Pound Sterling", "GBP", "£", "0.842915000000"),
    Currency("Swiss Franc", "CHF", "CHF", "0.938100000123"),
    Currency("Yen", "JPY", "¥", "163.250987654321"),
)


@dataclass(frozen=True)
class Pools:
    """Pools of values.

    Attributes:
        people: Names with email addresses.
        places: Parts of addresses.
        companies: Names of companies with addresses.
        plain: Values of a single column, by recipe.
        edges: Edge cases that the first rows of a table get, by recipe.
    """

    people: list[Person]
    places: list[Place]
    companies: list[Company]
    plain: dict[str, list[str]]
    edges: dict[str, list[Any]]

    def texts(self) -> dict[str, list[str]]:
        """Return values of a single column, also those that are parts of something."""
        codes = [f"{word[:3].upper()}-{n:02d}" for n, word in enumerate(self.plain["job"])]
        return {
            **self.plain,
            "email": [person.email for person in self.people],
            "city": [place.city for place in self.places],
            "postcode": [place.postcode for place in self.places],
            "names": [company.company for company in self.companies],
            "code": codes,
        }


def moment(seconds: int) -> str:
    """Return a point in time as the store has it: UTC without the Z, so that fractions sort."""
    return (NAIVE_START + timedelta(seconds=seconds)).isoformat()


def ticks(at: datetime) -> int:
    """Return a point in time in ticks of .NET: a number above 2**53."""
    microseconds = int((at - datetime.fromtimestamp(0, UTC)) / timedelta(microseconds=1))
    return EPOCH_IN_SECONDS * TICKS + microseconds * (TICKS // 10**6)


def _ascii(name: str) -> str:
    for german, plain in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        name = name.replace(german, plain)
    return "".join(letter for letter in name.lower() if letter.isascii() and letter.isalnum())


def _amounts(rng: random.Random) -> list[str]:
    cents = [
        f"{n // 100}.{n % 100:02d}00" for n in (rng.randrange(90_000_000) for _ in range(PAGE))
    ]
    fine = [f"{rng.randrange(90_000)}.{rng.randrange(10_000):04d}" for _ in range(PAGE // 3)]
    return [*cents, *fine]


def _precise(rng: random.Random) -> list[str]:
    return [f"{rng.randrange(10**9)}.{rng.randrange(10**10):010d}" for _ in range(PAGE)]


def _long_texts(rng: random.Random, paragraphs: list[str]) -> list[str]:
    return ["\n\n".join(rng.choices(paragraphs, k=rng.randint(1, 3))) for _ in range(PAGE)]


def _edges(rng: random.Random, paragraphs: list[str]) -> dict[str, list[Any]]:
    """Return values that few programs expect, which the first rows of a table get."""
    return {
        "money": ["20000.0000", "0.0000", "922337203685477.5807", "-0.0001"],
        "precise": ["12345678901.1234000000", "0.0000000000", "-99999999999.9999999999"],
        "big": [2**63 - 1, -(2**63), 2**53 + 1, 0],
        "long_text": ["\r\n".join(rng.choices(paragraphs, k=400))],
        "quotes": ['say "hi"', "O'Brien", "back\\slash", "tab\there", "", "<tag/>", "new\nline"],
        "unicode": [
            *("größe", "日本語", "emoji 🚀", "Ελλάδα", "\u2028", "\u200frtl", "\x7f"),
            "  blanks around  ",
        ],
    }


def make(rng: random.Random) -> Pools:
    """Make the pools; the same state of `rng` gives the same pools."""
    fakers = [Faker(locale, use_weighting=False) for locale in LOCALES]
    for faker in fakers:
        faker.seed_instance(rng.getrandbits(64))
    english, german = fakers

    def draw(method: str, count: int = 250) -> list[str]:
        return [
            str(getattr(faker, method)()).replace("\n", ", ")
            for faker in fakers
            for _ in range(count)
        ]

    firsts, lasts, domains = draw("first_name"), draw("last_name"), draw("domain_name", 150)
    people = [
        Person(
            first, last, f"{first} {last}", f"{_ascii(first)}.{_ascii(last)}@{rng.choice(domains)}"
        )
        for first, last in zip(rng.choices(firsts, k=3000), rng.choices(lasts, k=3000), strict=True)
    ]
    places = [
        *(
            Place(german.city(), german.postcode(), german.state(), "Deutschland")
            for _ in range(250)
        ),
        *(Place(english.city(), english.postcode(), english.state(), "USA") for _ in range(250)),
        Place("Łódź", "90-001", "Łódzkie", "Polska"),
        Place("東京", "100-0001", "関東", "日本"),
    ]
    companies = []
    for name in draw("company", 400):
        domain = f"{_ascii(name) or 'example'}.example"
        companies.append(Company(name, f"info@{domain}", f"https://www.{domain}/"))
    paragraphs = draw("paragraph", 250)
    days = (END - START).days
    plain = {
        "paragraph": paragraphs,
        "words": [line.rstrip(".") for line in draw("sentence", 500)],
        "long_text": _long_texts(rng, paragraphs),
        "street": draw("street_address"),
        "phone": draw("phone_number"),
        "job": draw("job", 200),
        "product": draw("catch_phrase", 200) if hasattr(german, "catch_phrase") else draw("bs"),
        "json": [
            f'{{"power":{rng.randrange(999)},"powerUnit":"Watts","location":"{place.city}"}}'
            for place in places
        ],
        "file_name": draw("file_name", 200),
        "ticker": ["".join(rng.choices("ABCDEFGHIKLMNOPRSTUW", k=4)) for _ in range(200)],
        "quotes": ['say "no"', "a/b?c#d&e=f+g%h", "plain"],
        "unicode": ["naïve", "čeština", "œuvre"],
        "base64": [
            base64.b64encode(rng.randbytes(rng.randint(30, 900))).decode() for _ in range(100)
        ],
        "image": [
            base64.b64encode(b"\x89PNG\r\n\x1a\n" + rng.randbytes(120)).decode() for _ in range(50)
        ],
        "money": _amounts(rng),
        "precise": _precise(rng),
        "moment": [moment(rng.randrange(days * 86400)) for _ in range(4000)],
        "midnight": [moment(rng.randrange(days) * 86400) for _ in range(1000)],
        "day": [str(START.date() + timedelta(days=n)) for n in range(days)],
        "birthday": [
            str(date(1940, 1, 1) + timedelta(days=rng.randrange(24000))) for _ in range(2000)
        ],
        "time": [f"{n // 60:02d}:{n % 60:02d}:00" for n in range(0, 1440, 7)],
        "duration": [f"PT{n}M" for n in range(1, 300)],
    }
    return Pools(people, places, companies, plain, _edges(rng, paragraphs))
