"""Query: one read of a service that a person writes as a path, such as `accounts?$top=5`.

A query only reads, and stays below the service root.
"""

from __future__ import annotations

import codecs
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import msgspec
from msgspec import Raw

from tap_dynamics365.errors import QueryError
from tap_dynamics365.odata.client import HEADERS, with_options
from tap_dynamics365.odata.page import reading, split
from tap_dynamics365.settings.grant import Grant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import requests

    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.services.kind import Service
    from tap_dynamics365.settings import Settings

# Characters that are sent as they are. A percent sign begins an encoded character, or is encoded.
SAFE = "$&+,/:;=?@%()'*!-._~"
NO_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
# A segment that servers take for the folder itself, or for the one above.
DOTS = re.compile(r"\s*\.{1,2}\s*(?:;.*)?", re.DOTALL)
TOP = re.compile(r"[?&](?:\$|%24)?top=", re.IGNORECASE)
# Resources that are written to, or are no JSON ("OData Version 4.0 Part 2: URL Conventions",
# sections 4.6 and 4.13).
OTHER = {"$batch", "$metadata", "$value"}

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_text = msgspec.json.Decoder(str).decode


@dataclass(frozen=True)
class Answer:
    """What a service answered to a query.

    Attributes:
        rows: The JSON text of each row; of the only object or value, if the answer is no page of
            rows.
        next_link: The link to the next page, as the service wrote it; None if there is none.
    """

    rows: tuple[Raw, ...]
    next_link: str | None = None


def address(service: Service, settings: Settings, path: str) -> str:
    """Return the URL of a query.

    Args:
        service: The service.
        settings: The settings, which may add options to each request for rows.
        path: The path below the service root with the options of the query, percent-encoded or
            not.

    Returns:
        The absolute URL, encoded.

    Raises:
        QueryError: The path may lead elsewhere, or what it leads to is no JSON.
    """
    _check(path)
    encoded = quote(NO_ESCAPE.sub("%25", path), safe=SAFE)
    return with_options(
        service.client.url + encoded,
        {**service.client.url_options, **service.kind.query_options(settings)},
    )


def _check(path: str) -> None:
    """Raise unless a path stays below the service root, and leads to JSON."""
    decoded = _decoded(path)
    if CONTROLS.search(decoded):
        msg = "The query has control characters. Write it on one line."
        raise QueryError(msg)
    if "#" in path:
        msg = "The query has a #, which begins a fragment. Write %23 for the character."
        raise QueryError(msg)
    place = _decoded(path.partition("?")[0]).replace("\\", "/")
    segments = place.split("/")
    is_elsewhere = SCHEME.match(place.lstrip()) or any(map(DOTS.fullmatch, segments))
    if is_elsewhere or not all(map(str.strip, segments)):
        msg = (
            "The query must be a path below service_url, such as 'accounts?$top=5': without scheme "
            "and host, and without a slash at its beginning, '//' and '..'."
        )
        raise QueryError(msg)
    for segment in segments:
        if segment.strip().lower() in OTHER:
            msg = f"The query can't have {segment.strip()}: only rows and values in JSON are read."
            raise QueryError(msg)


def _decoded(text: str) -> str:
    """Decode a text, also if it is encoded several times."""
    while (decoded := unquote(text)) != text:
        text = decoded
    return text


def read(service: Service, url: str, page_size: int = 0) -> Answer:
    """Read the answer to a query, with retries.

    Args:
        service: The service.
        url: The URL, as `address` or `next_address` returned it.
        page_size: The most rows of a page; 0 leaves it to the service, as the option `$top` does.

    Returns:
        The answer.

    Raises:
        ServiceError: The service refused.
        SignInError: The sign-in host gave no token.
    """
    client = service.client
    # Dataverse ignores $top beside a page size.
    prefer = f"odata.maxpagesize={page_size}" if page_size and not TOP.search(url) else ""
    return client.read(url, lambda response: _answer(client, response), prefer=prefer)


def _answer(client: ODataClient, response: requests.Response) -> Answer:
    body = response.content.removeprefix(codecs.BOM_UTF8).strip()
    with reading():
        members = _members(body) if body.startswith(b"{") else {}
    if "error" in members or bytes(members.get("value", Raw())).startswith(b"["):
        page = split(response, client.dialect)
        return Answer(tuple(page.rows), page.next_link)
    return Answer((Raw(body),))


def next_address(service: Service, answer: Answer) -> str | None:
    """Return the URL of the next page, on the origin of the service whatever host the link names.

    Args:
        service: The service.
        answer: The answer before.

    Returns:
        The absolute URL; None after the last page.

    Raises:
        ServiceError: The link is not a URL.
    """
    return None if answer.next_link is None else service.client.resolve(answer.next_link)


def in_json(rows: Sequence[Raw]) -> str:
    """Write rows as JSON, with numbers as the service wrote them.

    Args:
        rows: The rows.
    """
    text = b"[" + b",".join(map(bytes, rows)) + b"]"
    return msgspec.json.format(text, indent=2).decode()


def in_texts(rows: Sequence[Raw]) -> Iterator[dict[str, str | None]]:
    """Yield rows with the same columns, and numbers as the service wrote them.

    Annotations of a whole row, such as `@odata.etag`, are left out.

    Args:
        rows: The rows.
    """
    found = [
        _members(row) if bytes(row[:1]) == b"{" else {"value": row} for row in map(bytes, rows)
    ]
    names = dict.fromkeys(name for row in found for name in row if not name.startswith("@"))
    for row in found:
        yield {name: _value(bytes(row.get(name, b"null"))) for name in names}


def _value(text: bytes) -> str | None:
    if text == b"null":
        return None
    return _text(text) if text.startswith(b'"') else text.decode()


def curl(service: Service, settings: Settings, url: str) -> str:
    """Write the command of curl that reads the same, for a POSIX shell.

    Args:
        service: The service.
        settings: The sign-in, and the proxy.
        url: The URL, as `address` returned it.

    Returns:
        The command, with `$ACCESS_TOKEN` in place of the access token, and without a password,
        which curl asks for.
    """
    headers = {**HEADERS, **service.client.dialect.headers(service.client.url)}
    options = ["curl --compressed"]
    options += [f"--header {shlex.quote(f'{name}: {text}')}" for name, text in headers.items()]
    options.append(_signed(settings))
    if settings.proxy_host:
        proxy = f"http://{settings.proxy_host}:{settings.proxy_port}"
        options.append(f"--proxy {shlex.quote(proxy)}")
        if settings.proxy_user:
            options.append(f"--proxy-user {shlex.quote(settings.proxy_user)}")
    # Every shell quotes an apostrophe in another way.
    return " \\\n  ".join([*options, shlex.quote(url.replace("'", "%27"))])


def _signed(settings: Settings) -> str:
    """Write the options of curl that sign a request."""
    user = settings.user or ""
    match settings.grant:
        case Grant.NTLM:
            domain = f"{settings.ntlm_domain}\\" if settings.ntlm_domain else ""
            return f"--ntlm --user {shlex.quote(domain + user)}"
        case Grant.BASIC:
            return f"--user {shlex.quote(user)}"
        case _:
            return '--header "Authorization: Bearer $ACCESS_TOKEN"'
