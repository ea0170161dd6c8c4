"""Address of a PostgreSQL database: its URL, and the schema of the tables."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from tap_dynamics365.errors import InputError

#: The schema into which meltano.yml loads.
DEFAULT_SCHEMA = "tap_dynamics365"
# The part of the URL that is not for the database.
SCHEMA = "schema"


@dataclass(frozen=True)
class Address:
    """A database and a schema in it.

    Attributes:
        url: The URL for libpq, with a password or without.
        schema: The schema.
        place: The host, the database and the schema, for messages.
        secrets: What messages must not contain.
    """

    url: str
    schema: str
    place: str
    secrets: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Address:
        """Parse a URL such as `postgresql://user@host:5432/database?schema=crm`.

        Args:
            text: The URL. Everything but the schema is as libpq has it: what is missing comes from
                its variables, such as PGPASSWORD, and from ~/.pgpass.

        Raises:
            InputError: It is not a URL.
        """
        try:
            parts = urlsplit(text)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            msg = "--to is not a URL of PostgreSQL: write postgresql://user@host:5432/database."
            raise InputError(msg) from error
        options = parse_qsl(parts.query)
        schema = next((value for name, value in options if name == SCHEMA), DEFAULT_SCHEMA)
        rest = [(name, value) for name, value in options if name != SCHEMA]
        # Not geturl(), which drops the slashes of an empty host.
        url = "?".join(filter(None, (text.partition("?")[0], urlencode(rest))))
        secrets = [value for name, value in rest if "password" in name]
        if parts.password:
            secrets += [unquote(parts.password), parts.password]
        where = f"{host}:{port}" if port else host
        place = f"PostgreSQL at {where}{parts.path}, schema {schema}"
        return cls(url, schema, place, tuple(secrets))
