"""Token endpoint: what Entra ID answers to each grant.

Sources: Microsoft Learn, "OAuth 2.0 authorization code flow", "client credentials flow", "device
authorization grant flow", "Microsoft Entra authentication and authorization error codes".
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from sandbox.identity.assertions import Assertions
from sandbox.identity.errors import (
    INVALID_CLIENT,
    INVALID_GRANT,
    INVALID_REQUEST,
    INVALID_RESOURCE,
    INVALID_SCOPE,
    UNAUTHORIZED_CLIENT,
    UNSUPPORTED_GRANT_TYPE,
    TokenError,
    require,
)
from sandbox.identity.person import ACCOUNT, PERSON
from sandbox.identity.sign_ins import SignIns

TENANT = "5a4db0c0-5a4d-4b0c-8b0c-5a4db0c05a4d"
TENANT_NAMES = frozenset({TENANT, "common", "organizations", "sandbox.onmicrosoft.com"})
# Address of the service in the cloud, valid as a resource besides the local one.
ORGANISATION = "https://sandbox.crm.dynamics.com"
CLIENT = "c11e0000-5a4d-4b0c-8b0c-00000000c11e"
PUBLIC_CLIENT = "c11e0000-5a4d-4b0c-8b0c-0000000b11c0"
SECRET = "sandbox-secret-not-real"  # noqa: S105  - an invented value
REFRESH_TOKEN = "sandbox-refresh-token-not-real"  # noqa: S105  - as above
PUBLIC_REFRESH_TOKEN = "sandbox-public-refresh-token-not-real"  # noqa: S105  - as above
PERMISSION = "user_impersonation"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"

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


@dataclass(frozen=True)
class TokenRequest:
    """A request to the token endpoint.

    Attributes:
        tenant: Tenant in the path of the URL.
        form: Fields of the body.
        origin: Scheme and host of the URL, as the caller sees them.
        v1: Whether the request is to the v1.0 endpoint, which takes `resource`.
    """

    tenant: str
    form: dict[str, str]
    origin: str
    v1: bool = False

    @property
    def url(self) -> str:
        """URL of the request."""
        return f"{self.origin}/{self.tenant}/oauth2/{'' if self.v1 else 'v2.0/'}token"


@dataclass
class _Refresh:
    client: str
    resource: str = ""
    refusal: tuple[int, str] | None = None


@dataclass(frozen=True)
class _Access:
    resource: str
    ends: float
    is_person: bool


@dataclass
class Authority:
    """Issues tokens and validates them.

    Attributes:
        lifetime: Lifetime of an access token in seconds.
        single_use: Whether a refresh token is invalid after its first use.
        resource: Resource of a token when the request names none. Empty takes the origin of the
            request.
        assertions: Assertions that apps can send in place of a secret.
        sign_ins: Sign-ins of people.
        issued: All secrets issued or received so far: tokens, codes and assertions.
        apps: The secret of each confidential app by its id.
    """

    lifetime: int = 3599
    single_use: bool = False
    resource: str = ""
    assertions: Assertions = field(default_factory=Assertions)
    sign_ins: SignIns = field(default_factory=SignIns)
    issued: list[str] = field(default_factory=list)
    apps: dict[str, str] = field(default_factory=lambda: {CLIENT: SECRET})
    _access: dict[str, _Access] = field(default_factory=dict)
    _refresh: dict[str, _Refresh] = field(
        default_factory=lambda: {
            REFRESH_TOKEN: _Refresh(CLIENT),
            PUBLIC_REFRESH_TOKEN: _Refresh(PUBLIC_CLIENT),
        }
    )

    def is_valid(self, access_token: str, origin: str) -> bool:
        """Return whether the service at an origin accepts an access token now."""
        resource = self.audience(access_token)
        own = {_organisation(origin), _organisation(ORGANISATION)}
        return bool(resource) and _organisation(resource) in own

    def audience(self, access_token: str) -> str:
        """Return the resource that an access token is for; empty if the token is not valid."""
        known = self._access.get(access_token)
        return known.resource if known and known.ends > time.time() else ""

    def is_person(self, access_token: str) -> bool:
        """Return whether an access token was issued to a person, not to an app itself."""
        known = self._access.get(access_token)
        return known is not None and known.is_person

    def expire(self) -> None:
        """Expire all access tokens."""
        self._access.clear()

    def revoke(self, refresh_token: str, reason: str = "revoked") -> None:
        """Refuse a refresh token from now on.

        Args:
            refresh_token: The token.
            reason: One of the keys of `REFUSALS`.
        """
        self._refresh.setdefault(refresh_token, _Refresh(CLIENT)).refusal = REFUSALS[reason]

    def check_tenant(self, tenant: str) -> None:
        """Check that a tenant exists.

        Raises:
            TokenError: There is no such tenant.
        """
        if tenant not in TENANT_NAMES:
            text = (
                f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
            )
            raise TokenError(INVALID_REQUEST, 90002, text)

    def check_client(self, client: str) -> None:
        """Check that an app exists.

        Raises:
            TokenError: There is no app with this id.
        """
        if client not in {*self.apps, PUBLIC_CLIENT}:
            text = f"Application with identifier '{client}' was not found in the directory."
            raise TokenError(UNAUTHORIZED_CLIENT, 700016, text)

    def token(self, request: TokenRequest) -> dict[str, Any]:
        """Return the response to a token request.

        Raises:
            TokenError: The request is refused, with the code that Entra ID would send.
        """
        self.check_tenant(request.tenant)
        form = request.form
        require(form, "grant_type")
        grant, client = form["grant_type"], form.get("client_id", "")
        self.check_client(client)
        self._check_client_credentials(request, client)
        refresh, scope = True, form.get("scope", "")
        if grant == "refresh_token":
            require(form, "refresh_token")
            known = self._redeem(form["refresh_token"], client)
            default = known.resource or self.resource or request.origin
        elif grant == "client_credentials" and client in self.apps:
            refresh, default = False, ""
        elif grant in {"authorization_code", DEVICE_CODE}:
            redeem = self.sign_ins.exchange if grant == "authorization_code" else self.sign_ins.poll
            signed_in = redeem(form, client)
            refresh = request.v1 or "offline_access" in signed_in.scope.split()
            scope = scope or signed_in.scope
            default = self.resource_of(signed_in.scope, request.origin)
        else:
            text = f"The app requested an unsupported grant type '{grant}'."
            raise TokenError(UNSUPPORTED_GRANT_TYPE, 70003, text)
        resource = self._resource(request, default)
        is_person = grant != "client_credentials"
        answer = self._answer(client, resource, scope, v1=request.v1, is_person=is_person)
        if refresh:
            answer["refresh_token"] = self._new_refresh(client, resource)
        if "openid" in scope.split():
            person = {"name": PERSON, "preferred_username": ACCOUNT}
            answer["id_token"] = self._signed({"aud": client, **person})
        return answer

    def resource_of(self, scope: str, origin: str) -> str:
        """Return the resource that delegated scopes are for.

        Args:
            scope: Scopes, separated by spaces.
            origin: Scheme and host of the request.

        Raises:
            TokenError: The tenant has no such resource.
        """
        named = [each for each in scope.split() if "://" in each]
        resource = named[0].rpartition("/")[0] if named else self.resource or origin
        return self._known(resource, origin)

    def _check_client_credentials(self, request: TokenRequest, client: str) -> None:
        """Authenticate the app.

        A confidential app sends a secret or an assertion; a public app must send neither.
        """
        secret, assertion = (request.form.get(n) for n in ("client_secret", "client_assertion"))
        if client == PUBLIC_CLIENT:
            if secret is not None or assertion is not None:
                text = (
                    "Client is public so neither 'client_assertion' nor 'client_secret' should "
                    "be presented."
                )
                raise TokenError(INVALID_CLIENT, 700025, text, 401)
        elif assertion is not None:
            self.issued.append(assertion)
            self.assertions.check(request.form, client, request.url)
        elif secret is None:
            text = (
                "The request body must contain the following parameter: 'client_assertion' or "
                "'client_secret'."
            )
            raise TokenError(INVALID_CLIENT, 7000218, text, 401)
        elif not secrets.compare_digest(secret.encode(), self.apps[client].encode()):
            text = (
                "Invalid client secret provided. Ensure the secret being sent in the request is "
                "the client secret value, not the client secret ID, for a secret added to app "
                f"'{client}'."
            )
            raise TokenError(INVALID_CLIENT, 7000215, text, 401)

    def _redeem(self, token: str, client: str) -> _Refresh:
        known = self._refresh.get(token)
        if known is None or known.client != client:
            text = "The refresh token is malformed or was issued to another application."
            raise TokenError(INVALID_GRANT, 9002313, text)
        if known.refusal:
            raise TokenError(INVALID_GRANT, *known.refusal)
        if self.single_use:
            known.refusal = REDEEMED
        return known

    def _resource(self, request: TokenRequest, default: str) -> str:
        """Return the resource of the token; without a default, the scope must name it."""
        if request.v1:
            return self._known(request.form.get("resource") or default, request.origin)
        scope = request.form.get("scope", "")
        scopes = [each for each in scope.split() if "://" in each]
        if not scopes and default:
            return self._known(default, request.origin)
        resource, _, permission = (scopes or [""])[0].rpartition("/")
        if not default and (permission != ".default" or not resource):
            text = (
                f"The provided value for the input parameter 'scope' is not valid. The scope "
                f"{scope} is not valid."
            )
            raise TokenError(INVALID_SCOPE, 1002012, text)
        return self._known(resource, request.origin)

    def _known(self, resource: str, origin: str) -> str:
        own = {urlsplit(each).netloc for each in (origin, self.resource)}
        name = urlsplit(resource).hostname or ""
        if urlsplit(resource).netloc not in own and not name.endswith(".dynamics.com"):
            text = (
                f"The resource principal named {quote(resource, safe='')} was not found in the "
                "tenant named Sandbox & Son, Inc. This can happen if the application has not been "
                "installed by the administrator of the tenant or consented to by any user in the "
                "tenant. You might have sent your authentication request to the wrong tenant."
            )
            raise TokenError(INVALID_RESOURCE, 500011, text)
        return resource

    def _answer(
        self, client: str, resource: str, scope: str, *, v1: bool, is_person: bool
    ) -> dict[str, Any]:
        now = int(time.time())
        answer: dict[str, Any] = {"token_type": "Bearer"}
        if v1:
            # Recorded responses to apps have no scope.
            answer |= {"scope": PERMISSION} if is_person else {}
            answer |= {
                "expires_in": str(self.lifetime),
                "ext_expires_in": str(self.lifetime) if is_person else "0",
                "expires_on": str(now + self.lifetime),
                "not_before": str(now - 300),
                "resource": resource,
            }
        else:
            answer |= {
                "scope": scope or f"{resource}/{PERMISSION} {resource}/.default",
                "expires_in": self.lifetime,
                "ext_expires_in": self.lifetime,
            }
        # Claims of version 1.0 tokens, which are the ones that Dataverse gets.
        holder = {"idtyp": "app"}
        if is_person:
            holder = {"name": PERSON, "upn": ACCOUNT, "unique_name": ACCOUNT, "scp": PERMISSION}
        access = self._signed({"aud": resource, "appid": client, **holder})
        self._access[access] = _Access(resource, time.time() + self.lifetime, is_person)
        answer["access_token"] = access
        return answer

    def _new_refresh(self, client: str, resource: str) -> str:
        new = f"sandbox-refresh-{secrets.token_urlsafe(24)}-not-real"
        self._refresh[new] = _Refresh(client, resource)
        self.issued.append(new)
        return new

    def _signed(self, claims: dict[str, str]) -> str:
        """Return a token in the form of a JWT, without a valid signature."""
        now = int(time.time())
        whole = {
            **claims,
            "iss": f"https://sts.windows.net/{TENANT}/",
            "iat": now,
            "exp": now + self.lifetime,
            "tid": TENANT,
            "uti": secrets.token_urlsafe(12),
        }
        parts = ({"alg": "none", "typ": "JWT"}, whole)
        encoded = [
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
            for part in parts
        ]
        token = ".".join([*encoded, "sandbox-not-signed--"])
        self.issued.append(token)
        return token


def _organisation(address: str) -> str:
    """Return the host of an address without `.api`: Dataverse has hosts with and without it."""
    return urlsplit(address).netloc.replace(".api.", ".", 1)
