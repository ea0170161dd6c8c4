"""Global Discovery Service at /api/discovery/v2.0/: the environments that a person may use.

Sources: Microsoft Learn, "Discover user organizations"; the body of its refusals as in
MicrosoftDocs/dynamics-365-customer-engagement #518, and that it takes no apps from
microsoft/powerplatform-actions #269.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from sandbox.dataverse.response import ORGANIZATION
from sandbox.identity import tokens
from sandbox.query.option_values import options

if TYPE_CHECKING:
    from starlette.requests import Request

    from sandbox.dataverse.switches import Switches
    from sandbox.identity.tokens import Authority

# Resource of the service in the cloud, valid besides the local one.
CLOUD = "https://globaldisco.crm.dynamics.com"
ROOT = "/api/discovery/v2.0/"
DENIED = "Authorization has been denied for this request."
# Host, name, type, state, region and version of each environment. The first one is the sandbox
# itself.
ENVIRONMENTS = (
    ("sandbox.crm", "Sandbox & Son, Inc.", 0, 0, "NA", "9.2.26113.00152"),
    ("invented-org-test.crm4", "Invented Test", 5, 0, "EMEA", "9.2.26112.00170"),
    ("invented-org-branch.crm4", "Closed Branch", 5, 1, "EMEA", "9.2.25064.00114"),
)


class Discovery:
    """The Global Discovery Service.

    Args:
        authority: Validates access tokens.
        switches: What can be changed while the service runs.
    """

    def __init__(self, authority: Authority, switches: Switches) -> None:
        self._authority = authority
        self._switches = switches

    def routes(self) -> list[Route]:
        """Return the routes of the service."""
        return [Route("/api/discovery/{rest:path}", self._respond, methods=["GET"])]

    async def _respond(self, request: Request) -> Response:
        origin = f"{request.url.scheme}://{request.headers.get('host', '')}"
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        audience = self._authority.audience(token).rstrip("/")
        is_known = scheme.lower() == "bearer" and audience in {origin, CLOUD}
        if not is_known or not self._authority.is_person(token):
            return self._unauthorized(origin)
        if request.url.path != f"{ROOT}Instances":
            return _json({"Message": "No HTTP resource was found that matches the request."}, 404)
        given = options(request.url.query)
        found = _instances(origin)
        named = [name for name in given.pop("$select", "").split(",") if name] or [*found[0]]
        # The sandbox has no other options.
        if unknown := {*given, *named} - found[0].keys():
            return _refused(f"The query is not understood: {', '.join(sorted(unknown))}.")
        if self._switches.no_environments:
            found = []
        rows = [{name: row[name] for name in named} for row in found]
        context = f"https://10.0.1.76:20193{ROOT}$metadata#Instances"
        return _json({"@odata.context": context, "value": rows})

    def _unauthorized(self, origin: str) -> Response:
        """Return the refusal of a token, with a challenge that names no tenant."""
        authority = self._switches.authority_url or origin
        challenge = (
            f"Bearer authorization_uri={authority}/common/oauth2/authorize, resource_id={origin}/"
        )
        return _json({"Message": DENIED}, 401, {"WWW-Authenticate": challenge})


def _instances(origin: str) -> list[dict[str, Any]]:
    """Return the environments, of which the first one leads to the sandbox."""
    rows = []
    for number, (host, name, kind, state, region, version) in enumerate(ENVIRONMENTS):
        is_here = number == 0 and origin != CLOUD
        api_host = host.replace(".crm", ".api.crm")
        rows.append(
            {
                "Id": ORGANIZATION if number == 0 else f"{number:08}-5a4d-4b0c-8b0c-000000000095",
                "UniqueName": f"unq5a4d{number}",
                "UrlName": host.partition(".")[0],
                "FriendlyName": name,
                "State": state,
                "Version": version,
                "Url": origin if is_here else f"https://{host}.dynamics.com",
                "ApiUrl": origin if is_here else f"https://{api_host}.dynamics.com",
                "LastUpdated": "2026-01-31T08:00:00Z",
                "SchemaType": "Full",
                "OrganizationType": kind,
                "Region": region,
                "TenantId": tokens.TENANT,
                "EnvironmentId": f"e5a4d{number:03}-5a4d-4b0c-8b0c-00000000e5a4",
                "StatusMessage": 0 if state else 6,
                "TrialExpirationDate": None,
                "Purpose": None,
                "DatacenterId": f"{number:08}-5a4d-4b0c-8b0c-0000000dc000",
                "DatacenterName": None,
                "IsUserSysAdmin": number == 0,
            }
        )
    return rows


def _refused(message: str) -> Response:
    return _json({"error": {"code": "", "message": message}}, 400)


def _json(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    media_type = "application/json; odata.metadata=minimal"
    return Response(msgspec.json.encode(body), status, headers, media_type)
