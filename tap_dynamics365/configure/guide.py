"""Guide: how to get what a way to sign in needs, step by step. docs/authentication.md has more."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from tap_dynamics365.settings.grant import Grant

if TYPE_CHECKING:
    from tap_dynamics365.configure.ways import Way
    from tap_dynamics365.services.kind import ServiceKind

REGISTER = (
    "In the Microsoft Entra admin center (entra.microsoft.com), *App registrations* > *New "
    "registration*: enter a name, choose *Accounts in this organizational directory only*, and "
    "leave the redirect URI empty. The page *Overview* shows the *Application (client) ID*."
)
KEY = (
    "openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj /CN=tap-dynamics365 "
    "-keyout key.pem -out certificate.pem"
)
BOTH = "cat certificate.pem key.pem > tap-dynamics365.pem && chmod 600 tap-dynamics365.pem key.pem"


class Step(NamedTuple):
    """A step.

    Attributes:
        text: What to do, where `*…*` marks what to click, and backticks mark a value.
        value: A value to copy; empty if there is none.
    """

    text: str
    value: str = ""


def steps(way: Way, kind: ServiceKind, url: str) -> list[Step]:
    """Return the steps of a way to sign in.

    Args:
        way: The way to sign in.
        kind: The kind of the service.
        url: The URL of the service; empty if it is not known yet.
    """
    app = [Step(text) for text in kind.set_up.app]
    match way.grant:
        case Grant.REFRESH_TOKEN:
            found = [Step(REGISTER), *_consent(kind), *_redirect(), Step(kind.set_up.person)]
        case Grant.CLIENT_SECRET:
            found = [
                Step(REGISTER),
                Step(
                    "*Certificates & secrets* > *Client secrets* > *New client secret*. Copy the "
                    "column *Value*: it is shown once."
                ),
                *app,
            ]
        case Grant.CLIENT_CERTIFICATE:
            found = [
                Step(REGISTER),
                Step("Make a certificate and its private key:", KEY),
                Step("Put both into one file, whose path is `client_certificate`:", BOTH),
                Step(
                    "*Certificates & secrets* > *Certificates* > *Upload certificate*: choose "
                    "`certificate.pem`."
                ),
                *app,
            ]
        case Grant.AZURE:
            found = [
                Step(
                    "`managed_identity`: in the Azure portal, open the resource with the tap > "
                    "*Identity* > *System assigned* > *Status* > *On* > *Save*."
                ),
                Step("`azure_cli`, for a try: sign in on this machine.", "az login"),
                *app,
                Step(
                    "Find a managed identity by its application ID: *Enterprise applications* > "
                    "*Application type* > *Managed Identities* > the identity > *Application ID*."
                ),
            ]
        case Grant.NTLM:
            found = [
                Step(
                    "In Dynamics 365, *Settings* > *Security* > *Users* > *New*: the Windows user."
                ),
                Step("*Manage Roles*: a role that may read the tables."),
                Step("The URL is in *Settings* > *Customizations* > *Developer Resources*."),
            ]
        case Grant.BASIC:
            found = [
                Step("In Business Central, open the page *Users*, and choose the user."),
                Step(
                    "Under *Web Service Access*, choose *Change Web Service Key*. The key is the "
                    "password here."
                ),
            ]
        case _:
            command = (
                f"az account get-access-token --resource {_resource(url)} --query accessToken "
                "--output tsv"
            )
            found = [
                Step("Sign in with the Azure CLI.", "az login"),
                Step("Have it request a token for the environment:", command),
            ]
    return found


def _consent(kind: ServiceKind) -> list[Step]:
    """Return the step of the delegated permission, if the API of the service is known."""
    if not kind.set_up.api:
        return []
    api = (
        f"*API permissions* > *Add a permission* > *Microsoft APIs*: choose *{kind.set_up.api}*, "
        "*Delegated permissions*, and this permission:"
    )
    return [Step(api, kind.permission)]


def _redirect() -> list[Step]:
    return [
        Step(
            "*Authentication* > tab *Redirect URI configuration* > *Add Redirect URI* > *Mobile "
            "and desktop applications*: enter the custom redirect URI, and choose *Configure*.",
            "http://localhost",
        ),
        Step(
            "Only for a code: *Authentication* > tab *Settings* > *Allow public client flows* > "
            "*Enabled* > *Save*."
        ),
    ]


def _resource(url: str) -> str:
    """Return the resource of a service, as the Azure CLI takes it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "https://<environment>"
