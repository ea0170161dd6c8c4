"""The token endpoint: what Entra ID answers to a refresh token or a client secret.

Sources: Microsoft Learn, "OAuth 2.0 authorization code flow", "client credentials flow",
"Microsoft Entra authentication and authorization error codes".
"""

from __future__ import annotations

import base64
import json
import secrets
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

TENANT = "5a4db0c0-5a4d-4b0c-8b0c-5a4db0c05a4d"
INVALID_CLIENT = "invalid_client"
INVALID_GRANT = "invalid_grant"
INVALID_REQUEST = "invalid_request"
INVALID_RESOURCE = "invalid_resource"
INVALID_SCOPE = "invalid_scope"
UNAUTHORIZED_CLIENT = "unauthorized_client"
UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
TENANT_NAMES = frozenset({TENANT, "common", "organizations", "sandbox.onmicrosoft.com"})
CLIENT = "c11e0000-5a4d-4b0c-8b0c-00000000c11e"
PUBLIC_CLIENT = "c11e0000-5a4d-4b0c-8b0c-0000000b11c0"
SECRET = "sandbox-secret-not-real"  # noqa: S105  - invented, and says so
REFRESH_TOKEN = "sandbox-refresh-token-not-real"  # noqa: S105  - as above
PUBLIC_REFRESH_TOKEN = "sandbox-public-refresh-token-not-real"  # noqa: S105  - as above


class TokenError(Exception):
    """A refusal of the token endpoint."""

    def __init__(self, error: str, code: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.error = error
        self.code = code
        self.text = text
        self.status = status

    def body(self) -> dict[str, Any]:
        """The JSON body, with ids and time as Entra ID adds them."""
        trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        return {
            "error": self.error,
            "error_description": f"AADSTS{self.code}: {self.text} Trace ID: {trace} "
            f"Correlation ID: {correlation} Timestamp: {now}",
            "error_codes": [self.code],
            "timestamp": now,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={self.code}",
        }


@dataclass
class _Refresh:
    client: str
    refusal: tuple[int, str] | None = None


REVOKED = (
    50173,
    (
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. "
        "The user might have changed or reset their password."
    ),
)
INACTIVE = (
    700082,
    (
        "The refresh token has expired due to inactivity. The token was issued on "
        "2025-01-01T00:00:00.0000000Z and was inactive for 90.00:00:00."
    ),
)
TOO_OLD = (70008, "The provided authorization code or refresh token has expired due to inactivity.")
REDEEMED = (70000, "The provided value for the input parameter 'refresh_token' is not valid.")
REFUSALS = {"revoked": REVOKED, "inactive": INACTIVE, "expired": TOO_OLD}


@dataclass
class Authority:
    """Issues tokens and knows which are good.

    Attributes:
        lifetime: how long an access token is good, in seconds.
        single_use: whether a refresh token dies when it is used.
    """

    lifetime: int = 3599
    single_use: bool = False
    _access: dict[str, float] = field(default_factory=dict)
    _refresh: dict[str, _Refresh] = field(
        default_factory=lambda: {
            REFRESH_TOKEN: _Refresh(CLIENT),
            PUBLIC_REFRESH_TOKEN: _Refresh(PUBLIC_CLIENT),
        }
    )

    def is_valid(self, access_token: str) -> bool:
        """Whether the service accepts an access token now."""
        return self._access.get(access_token, 0.0) > time.time()

    def expire(self) -> None:
        """Let every access token have expired."""
        self._access.clear()

    def revoke(self, refresh_token: str, reason: str = "revoked") -> None:
        """Refuse a refresh token from now on; the reasons are the keys of `REFUSALS`."""
        self._refresh.setdefault(refresh_token, _Refresh(CLIENT)).refusal = REFUSALS[reason]

    def token(self, tenant: str, form: dict[str, str], host: str, *, v1: bool) -> dict[str, Any]:
        """The answer to a token request.

        Args:
            tenant: of the URL.
            form: the fields.
            host: of the service, a resource that is always known.
            v1: whether the older endpoint was asked, which takes `resource`.

        Raises:
            TokenError: with the code that Entra ID would give.
        """
        if tenant not in TENANT_NAMES:
            text = (
                f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
            )
            raise TokenError(INVALID_REQUEST, 90002, text)
        grant = form.get("grant_type", "")
        if not grant:
            text = "The request body must contain the following parameter: 'grant_type'."
            raise TokenError(INVALID_REQUEST, 900144, text)
        client = form.get("client_id", "")
        if client not in {CLIENT, PUBLIC_CLIENT}:
            text = f"Application with identifier '{client}' was not found in the directory."
            raise TokenError(UNAUTHORIZED_CLIENT, 700016, text)
        self._check_secret(client, form.get("client_secret"))
        if grant == "refresh_token":
            self._check_refresh(form.get("refresh_token", ""), client)
            resource = self._resource(form, host, v1=v1, default=True)
        elif grant == "client_credentials" and client == CLIENT:
            resource = self._resource(form, host, v1=v1, default=False)
        else:
            text = f"The app requested an unsupported grant type '{grant}'."
            raise TokenError(UNSUPPORTED_GRANT_TYPE, 70003, text)
        return self._answer(client, resource, form, refresh=grant == "refresh_token", v1=v1)

    def _check_secret(self, client: str, secret: str | None) -> None:
        if client == PUBLIC_CLIENT:
            if secret is not None:
                text = (
                    "Client is public so neither 'client_assertion' nor 'client_secret' should "
                    "be presented."
                )
                raise TokenError(INVALID_CLIENT, 700025, text, 401)
            return
        if secret is None:
            text = (
                "The request body must contain the following parameter: 'client_assertion' or "
                "'client_secret'."
            )
            raise TokenError(INVALID_CLIENT, 7000218, text, 401)
        if not secrets.compare_digest(secret.encode(), SECRET.encode()):
            text = (
                "Invalid client secret provided. Ensure the secret being sent in the request is "
                "the client secret value, not the client secret ID, for a secret added to app "
                f"'{client}'."
            )
            raise TokenError(INVALID_CLIENT, 7000215, text, 401)

    def _check_refresh(self, token: str, client: str) -> None:
        known = self._refresh.get(token)
        if known is None or known.client != client:
            text = (
                "The refresh token is malformed or was issued to another application."
                if token
                else "The request body must contain the following parameter: 'refresh_token'."
            )
            raise TokenError(INVALID_GRANT, 9002313 if token else 900144, text)
        if known.refusal:
            raise TokenError(INVALID_GRANT, *known.refusal)
        if self.single_use:
            known.refusal = REDEEMED

    def _resource(self, form: dict[str, str], host: str, *, v1: bool, default: bool) -> str:
        own = f"http://{host}"
        if v1:
            resource = form.get("resource") or own
        else:
            scopes = [s for s in form.get("scope", "").split() if "://" in s]
            if not scopes and default:
                return own
            resource, _, permission = (scopes or [""])[0].rpartition("/")
            if not default and (permission != ".default" or not resource):
                text = (
                    f"The provided value for the input parameter 'scope' is not valid. The scope "
                    f"{form.get('scope', '')} is not valid."
                )
                raise TokenError(INVALID_SCOPE, 1002012, text)
        name = urlsplit(resource).hostname or ""
        if urlsplit(resource).netloc != host and not name.endswith(".dynamics.com"):
            text = (
                f"The resource principal named {resource} was not found in the tenant named "
                "Sandbox. This can happen if the application has not been installed by the "
                "administrator of the tenant."
            )
            raise TokenError(INVALID_RESOURCE, 500011, text)
        return resource.rstrip("/")

    def _answer(
        self, client: str, resource: str, form: dict[str, str], *, refresh: bool, v1: bool
    ) -> dict[str, Any]:
        now = int(time.time())
        access = self._issue(client, resource, now)
        answer: dict[str, Any] = {"token_type": "Bearer"}
        if v1:
            answer |= {
                "scope": "user_impersonation",
                "expires_in": str(self.lifetime),
                "ext_expires_in": str(self.lifetime),
                "expires_on": str(now + self.lifetime),
                "not_before": str(now - 300),
                "resource": resource,
            }
        else:
            answer |= {
                "scope": form.get("scope") or f"{resource}/user_impersonation {resource}/.default",
                "expires_in": self.lifetime,
                "ext_expires_in": self.lifetime,
            }
        answer["access_token"] = access
        if refresh:
            new = f"sandbox-refresh-{secrets.token_urlsafe(24)}-not-real"
            self._refresh[new] = _Refresh(client)
            answer["refresh_token"] = new
        return answer

    def _issue(self, client: str, resource: str, now: int) -> str:
        claims = {
            "aud": resource,
            "iss": f"https://sts.windows.net/{TENANT}/",
            "iat": now,
            "exp": now + self.lifetime,
            "appid": client,
            "tid": TENANT,
            "uti": secrets.token_urlsafe(12),
        }
        parts = ({"alg": "none", "typ": "JWT"}, claims)
        encoded = [
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
            for part in parts
        ]
        token = ".".join([*encoded, "sandbox-not-signed"])
        self._access[token] = time.time() + self.lifetime
        return token
