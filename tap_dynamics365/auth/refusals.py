"""Sign-in refusals: reads the responses of a sign-in host, and says what to do."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tap_dynamics365.errors import LOGIN, WEB_PAGE, SignInError, TransientSignInError
from tap_dynamics365.http.status import is_transient
from tap_dynamics365.redaction import printable, redact

if TYPE_CHECKING:
    from collections.abc import Iterable

    import requests

_NEW_TOKEN = f"get a new refresh token with {LOGIN}"
_NEW_SIGN_IN = (
    f"{_NEW_TOKEN}, and have the user complete the required verification. For a pipeline, exempt "
    "the user from it, or use an app that signs in as itself"
)
_POLICY = (
    "have an administrator look up the correlation ID in the sign-in logs of Microsoft Entra, "
    "and allow this app or the address of this machine"
)
_WHOSE_TOKEN = f"check that refresh_token is complete and belongs to client_id, or {_NEW_TOKEN}"
_CONSENT = (
    "have the user or an administrator consent to the app: App registrations > the app > API "
    "permissions, with Dynamics CRM user_impersonation, for Finance & Operations Microsoft "
    "Dynamics ERP Odata.FullAccess, or for Business Central Dynamics 365 Business Central "
    "Financials.ReadWrite.All in the list"
)
_FEDERATION = (
    "add a credential to the app registration under Certificates & secrets > Federated "
    "credentials, with the issuer, subject and audience of the identity that signs in"
)
_TENANT = "check the tenant in token_uri, and whether the app belongs to another tenant or cloud"

# https://learn.microsoft.com/entra/identity-platform/reference-error-codes
ADVICE = {
    50011: "add the redirect URI to the app registration under Authentication",
    50034: "check that the user still exists, and the tenant in token_uri",
    50053: "wait until the account is unlocked, or have an administrator unlock it",
    50055: f"have the user change the password, then {_NEW_TOKEN}",
    50057: "have an administrator enable the user's account, or sign in as another user",
    50076: _NEW_SIGN_IN,
    50078: _NEW_SIGN_IN,
    50079: _NEW_SIGN_IN,
    50105: "assign the user to the app: Enterprise applications > the app > Users and groups",
    50173: f"{_NEW_TOKEN}: a password was changed or sign-ins were revoked",
    50194: "set token_uri, with your tenant in place of common",
    50196: "wait some minutes, and check whether something starts the tap repeatedly",
    53000: _POLICY,
    53001: _POLICY,
    53002: _POLICY,
    53003: _POLICY,
    54005: "start the sign-in again: its code was used before",
    65001: _CONSENT,
    65004: _CONSENT,
    70000: _WHOSE_TOKEN,
    70001: "have an administrator enable the app, or check client_id",
    70002: "check client_secret: it must be the column Value, not the Secret ID",
    70008: _NEW_TOKEN,
    70011: "check scope or, if it is not set, service_url",
    70016: "finish the sign-in in the browser",
    70021: _FEDERATION,
    70043: f"{_NEW_TOKEN}: a policy on the frequency of sign-ins ended the old one",
    90002: _TENANT,
    90094: _CONSENT,
    500011: (
        "check service_url and the tenant in token_uri: no environment of this tenant has this "
        "address"
    ),
    530003: _POLICY,
    530032: _POLICY,
    650057: _CONSENT,
    700016: f"check client_id; {_TENANT}",
    700024: "correct the clock of this machine: the signed assertion is not valid at this time",
    700025: "remove client_secret or client_certificate: the app is a public client",
    700027: (
        "add the certificate in client_certificate to the app registration under Certificates & "
        "secrets, and check that it has not expired"
    ),
    700082: f"{_NEW_TOKEN}: the old one was not used for 90 days",
    700084: (
        f"{_NEW_TOKEN}, with a redirect URI of the platform Web or Mobile and desktop: tokens of "
        "a single-page application end after 24 hours"
    ),
    700211: _FEDERATION,
    700212: _FEDERATION,
    700213: _FEDERATION,
    1002012: "end scope with /.default, or remove it",
    7000112: "have an administrator enable the app",
    7000215: "check client_secret: it must be the column Value, not the Secret ID",
    7000218: (
        "set client_secret or client_certificate, or allow public client flows in the app "
        "registration under Authentication"
    ),
    7000222: "create a new secret under Certificates & secrets, and set client_secret to it",
    9002313: f"check that refresh_token is complete, or {_NEW_TOKEN}",
}

# Advice by OAuth 2.0 error, for hosts that send no AADSTS code (RFC 6749, section 5.2).
ADVICE_BY_ERROR = {
    "invalid_client": "check client_id, and client_secret or client_certificate",
    "invalid_grant": _WHOSE_TOKEN,
    "invalid_scope": "check scope or, if it is not set, service_url",
    "unauthorized_client": "check client_id, and that this grant is allowed for the app",
}

# A part of the host is unavailable or overloaded.
TRANSIENT_CODES = {50033, 50087, 90006, 90012, 90024, 90033, 90055, 90090}
TRANSIENT_ERRORS = {"temporarily_unavailable", "server_error"}

_CODE = re.compile(r"AADSTS(\d+)")
_NOISE = re.compile(r"\s*(?:Trace|Correlation|Request) ID:.*", re.DOTALL | re.IGNORECASE)
_CORRELATION_ID = re.compile(r"Correlation ID:\s*([0-9A-Fa-f-]{36})")
_FIRST_SENTENCE = re.compile(r".*?[.!?](?=\s+[A-Z]|\s*$)")


@dataclass(frozen=True)
class Refusal:
    """A refusal of a sign-in host.

    Args:
        words: The host's message.
        error: The error code of OAuth 2.0.
        code: The number of the AADSTS code.
        correlation_id: The ID of the request in Microsoft's logs.
    """

    words: str
    error: str = ""
    code: int | None = None
    correlation_id: str = ""

    @property
    def is_transient(self) -> bool:
        """Whether a retry may help."""
        return self.code in TRANSIENT_CODES or self.error in TRANSIENT_ERRORS

    @property
    def sentence(self) -> str:
        """The message, the advice and the correlation ID."""
        parts = [_ended(self.words)]
        advice = ADVICE.get(self.code) if self.code else ADVICE_BY_ERROR.get(self.error)
        if advice:
            parts.append(_ended(f"To go on, {advice}"))
        if self.correlation_id:
            parts.append(f"Correlation ID: {self.correlation_id}.")
        return " ".join(parts)


def read(content: bytes | str, secrets: Iterable[str] = ()) -> Refusal | None:
    """Read a refusal (RFC 6749, section 5.2).

    Args:
        content: The host's response, as JSON.
        secrets: The secrets of the request, which the host may repeat.

    Returns:
        The refusal; None if the response does not have the form of a sign-in host's error.
    """
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    error = answer.get("error")
    words = answer.get("error_description") or error
    if isinstance(words, dict):
        # A gateway in front of the host answers in the form of Dataverse.
        words = words.get("message")
    refusal = from_words(redact(words, secrets)) if isinstance(words, str) else None
    if refusal is None:
        return None
    correlation_id = answer.get("correlation_id")
    return Refusal(
        refusal.words,
        error if isinstance(error, str) else "",
        refusal.code or _first_code(answer.get("error_codes")),
        printable(correlation_id) if isinstance(correlation_id, str) else refusal.correlation_id,
    )


def from_words(text: str) -> Refusal | None:
    """Read a refusal that is only a message.

    Args:
        text: The message, with the IDs and the time that Microsoft Entra adds.

    Returns:
        The refusal; None if the message is empty.
    """
    code = _CODE.search(text)
    correlation_id = _CORRELATION_ID.search(text)
    number = int(code[1][:10]) if code else None
    words = printable(_NOISE.sub("", text))
    # For a known code, the advice replaces the sentences after the first.
    if number in ADVICE and (first := _FIRST_SENTENCE.match(words)):
        words = first[0]
    if not words:
        return None
    return Refusal(words, "", number, correlation_id[1] if correlation_id else "")


def check(response: requests.Response, secrets: Iterable[str], *, is_reached: bool) -> None:
    """Raise the error of a sign-in host's refusal.

    Args:
        response: The refusal.
        secrets: The secrets of the request, which the host may repeat.
        is_reached: Whether the host has answered before. From then on, a response that is not an
            OAuth error comes from a gateway, and is transient.

    Raises:
        TransientSignInError: A retry may help.
        SignInError: A retry does not help.
    """
    status = response.status_code
    refusal = read(response.content, secrets)
    if refusal is not None:
        message = f"Sign-in was refused (HTTP {status}): {refusal.sentence}"
    elif is_web_page(response):
        message = (
            f"Sign-in failed: {urlsplit(response.url).netloc} answered with {WEB_PAGE} "
            f"(HTTP {status}). Check the network, the proxy and token_uri."
        )
    else:
        message = (
            f"Sign-in was refused (HTTP {status}): the response does not come from an OAuth 2.0 "
            "sign-in host. Check token_uri."
        )
    error = refusal.error if refusal is not None else ""
    may_succeed = is_transient(status) or (refusal is not None and refusal.is_transient)
    if may_succeed or (is_reached and not error):
        raise TransientSignInError(message, response, error=error)
    raise SignInError(message, error=error)


def is_web_page(response: requests.Response) -> bool:
    """Tell whether a response is a web page.

    Args:
        response: The response.
    """
    return (
        response.headers.get("Content-Type", "").lower().startswith("text/html")
        or response.content.lstrip()[:1] == b"<"
    )


def _first_code(codes: Any) -> int | None:  # noqa: ANN401 - any JSON value
    if isinstance(codes, list) and codes and type(codes[0]) is int:
        return codes[0]
    return None


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?", "…")) else f"{sentence}."
