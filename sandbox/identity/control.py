"""Control API of the sign-in host: tokens, certificates, federations, devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sandbox.http.control_route import OrderError, control_route
from sandbox.identity.assertions import Federation
from sandbox.identity.tokens import CLIENT

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from sandbox.identity.tokens import Authority


def switches(authority: Authority) -> dict[str, tuple[object, str]]:
    """Return the switches of an authority: object and attribute, by name."""
    return {
        "token_lifetime": (authority, "lifetime"),
        "single_use_refresh_tokens": (authority, "single_use"),
        "resource": (authority, "resource"),
        "device_code_lifetime": (authority.sign_ins, "device_code_lifetime"),
        "device_code_interval": (authority.sign_ins, "device_code_interval"),
    }


def routes(authority: Authority) -> list[Route]:
    """Return the routes of an authority."""

    async def expire(_request: Request) -> object:
        authority.expire()
        return {}

    async def revoke(request: Request) -> object:
        order = msgspec.json.decode(await request.body(), type=dict[str, str])
        authority.revoke(order["refresh_token"], order.get("reason", "revoked"))
        return {}

    async def issued(_request: Request) -> object:
        return [*authority.issued, *authority.sign_ins.issued]

    async def register(request: Request) -> object:
        order = msgspec.json.decode(await request.body(), type=dict[str, str])
        assertions = authority.assertions
        return assertions.register(order.get("client_id", CLIENT), order["certificate"])

    async def add_app(request: Request) -> object:
        order = msgspec.json.decode(await request.body(), type=dict[str, str])
        authority.apps[order["client_id"]] = order["client_secret"]
        return {}

    async def trust(request: Request) -> object:
        order = msgspec.json.decode(await request.body(), type=Federation)
        authority.assertions.trust(order)
        return {}

    async def decide(request: Request) -> object:
        order = msgspec.json.decode(await request.body(), type=dict[str, Any])
        device = authority.sign_ins.waiting(order["user_code"])
        if device is None:
            message = "No device waits for this code."
            raise OrderError(message)
        device.approved = order["approved"]
        return {}

    return [
        control_route("tokens/expire", "POST", expire),
        control_route("tokens/revoke", "POST", revoke),
        control_route("tokens", "GET", issued),
        control_route("certificates", "POST", register),
        control_route("apps", "POST", add_app),
        control_route("federations", "POST", trust),
        control_route("devices", "POST", decide),
    ]
