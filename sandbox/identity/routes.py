"""Routes of the sign-in host: token endpoint, device codes, OpenID configuration, sign-in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from sandbox.identity import tokens
from sandbox.identity.errors import TokenError, require
from sandbox.identity.pages import SignInPages
from sandbox.identity.tokens import TokenRequest

if TYPE_CHECKING:
    from starlette.requests import Request

    from sandbox.identity.tokens import Authority


def routes(authority: Authority) -> list[Route]:
    """Return the routes of an authority.

    Args:
        authority: The authority.
    """

    async def token(request: Request) -> Response:
        try:
            return _json(authority.token(await _token_request(request)))
        except TokenError as error:
            return _json(error.body(), error.status)

    async def device_code(request: Request) -> Response:
        asked = await _token_request(request)
        client, scope = asked.form.get("client_id", ""), asked.form.get("scope", "")
        try:
            authority.check_tenant(asked.tenant)
            authority.check_client(client)
            require(asked.form, "scope")
            authority.resource_of(scope, asked.origin)
        except TokenError as error:
            return _json(error.body(), error.status)
        return _json(authority.sign_ins.device(client, scope, f"{asked.origin}/devicelogin"))

    return [
        *SignInPages(authority).routes(),
        Route("/{tenant}/oauth2/v2.0/token", token, methods=["POST"]),
        Route("/{tenant}/oauth2/token", token, methods=["POST"]),
        Route("/{tenant}/oauth2/v2.0/devicecode", device_code, methods=["POST"]),
        Route("/{tenant}/v2.0/.well-known/openid-configuration", _openid_configuration),
    ]


async def _token_request(request: Request) -> TokenRequest:
    form = dict(parse_qsl((await request.body()).decode("latin-1"), keep_blank_values=True))
    v1 = "/v2.0/" not in request.url.path
    return TokenRequest(request.path_params["tenant"], form, _origin(request), v1)


async def _openid_configuration(request: Request) -> Response:
    tenant = request.path_params["tenant"]
    if tenant not in tokens.TENANT_NAMES:
        text = f"Tenant '{tenant}' not found."
        return _json(TokenError("invalid_tenant", 90002, text).body(), 400)
    origin = _origin(request)
    return _json(
        {
            "token_endpoint": f"{origin}/{tenant}/oauth2/v2.0/token",
            "authorization_endpoint": f"{origin}/{tenant}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{origin}/{tenant}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{origin}/{tenant}/discovery/v2.0/keys",
            "issuer": f"{origin}/{tokens.TENANT}/v2.0",
            "response_types_supported": ["code", "id_token", "code id_token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
    )


def _json(body: object, status: int = 200) -> Response:
    headers = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"}
    return Response(msgspec.json.encode(body), status, headers, "application/json; charset=utf-8")


def _origin(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers.get('host', '')}"
