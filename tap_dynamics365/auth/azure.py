"""What Azure gives: managed identities, workload identities, the sign-in of its command line."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from typing_extensions import override

from tap_dynamics365.auth import refusals
from tap_dynamics365.auth.authenticator import RenewingAuthenticator
from tap_dynamics365.auth.token_endpoint import Tokens
from tap_dynamics365.errors import SettingsError, SignInError, TransientSignInError
from tap_dynamics365.http.session import open_session
from tap_dynamics365.redaction import redact

try:
    from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError
    from azure.core.pipeline.transport import RequestsTransport
    from azure.identity import (
        AzureCliCredential,
        DefaultAzureCredential,
        ManagedIdentityCredential,
        WorkloadIdentityCredential,
    )
except ImportError:
    _missing = (
        "azure_credential needs packages that are not installed: pip install "
        '"tap-dynamics365[azure]"'
    )
    raise SettingsError(_missing) from None

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests
    from azure.core.credentials import AccessToken, TokenCredential

    from tap_dynamics365.http.throttle import Throttle
    from tap_dynamics365.http.traffic import Traffic
    from tap_dynamics365.settings import Settings

# Where virtual machines get tokens, and the variables that name the place elsewhere. It is on
# this machine or next to it, and behind no proxy.
# https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
METADATA_HOST = "169.254.169.254"
ENDPOINTS = (
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "IDENTITY_ENDPOINT",
    "IMDS_ENDPOINT",
    "MSI_ENDPOINT",
)

# What is secret of that which azure-identity takes from the environment.
SECRETS = (
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_CLIENT_SECRET",
    "AZURE_PASSWORD",
    "IDENTITY_HEADER",
    "MSI_SECRET",
)

# These write answers of hosts into the log, tokens among them.
for _name in ("azure", "msal"):
    logging.getLogger(_name).setLevel(logging.ERROR)


class AzureAuthenticator(RenewingAuthenticator):
    """Gets access tokens through azure-identity.

    Args:
        settings: Those with an Azure credential. `client_id` is that of a user-assigned
            identity.
        throttle: Holds all requests back.
        traffic: Counts them.
    """

    def __init__(
        self, settings: Settings, throttle: Throttle | None = None, traffic: Traffic | None = None
    ) -> None:
        super().__init__()
        self._settings = settings
        self._throttle = throttle
        self._traffic = traffic
        # Whether there was a token before: from then on, a failure without a code of Entra ID is
        # taken for a gateway's, and transient.
        self._is_reached = False
        self._scope = settings.scope or f"{settings.origin}/.default"

    @override
    def fetch(self) -> Tokens:
        """Get an access token.

        Each time with a credential of its own: one that is kept would give the token again that
        the service refused.
        """
        chosen = self._settings.azure_credential
        try:
            with self._through_proxy() as session:
                token = self._token(session)
        except (ServiceRequestError, ServiceResponseError):
            msg = f"azure_credential={chosen}: the sign-in host could not be reached."
            raise TransientSignInError(msg) from None
        except (AzureError, OSError, ValueError) as error:
            words = redact(str(getattr(error, "message", error)), _secrets())
            refusal = refusals.from_words(words)
            words = "no reason given." if refusal is None else refusal.sentence
            msg = f"azure_credential={chosen} gives no token: {words}"
            passes = refusal is not None and refusal.passes
            is_strange = refusal is None or refusal.code is None
            if passes or (self._is_reached and is_strange):
                raise TransientSignInError(msg) from None
            raise SignInError(msg) from None
        self._is_reached = True
        return Tokens(token.token, max(1.0, token.expires_on - time.time()))

    def _through_proxy(self) -> requests.Session:
        """Make a session that goes through the proxy, but for the addresses of managed identity."""
        session = open_session(self._settings, self._throttle, self._traffic)
        if session.proxies:
            places = [urlsplit(os.environ.get(name, "")).hostname for name in ENDPOINTS]
            for host in filter(None, [METADATA_HOST, *places]):
                session.proxies[f"http://{host}"] = ""
        return session

    def _token(self, session: requests.Session) -> AccessToken:
        """Ask the credential that was chosen."""
        client_id = self._settings.client_id
        credential: TokenCredential
        options: dict[str, Any] = {
            "transport": RequestsTransport(session=session, session_owner=False)
        }
        match self._settings.azure_credential:
            case "managed_identity":
                credential = ManagedIdentityCredential(client_id=client_id, **options)
            case "workload_identity":
                # What fails for now is tried again by the tap, which says so.
                options["retry_total"] = 0
                credential = WorkloadIdentityCredential(client_id=client_id, **options)
            case "azure_cli":
                credential = AzureCliCredential()
            case _:
                if client_id:
                    options["managed_identity_client_id"] = client_id
                credential = DefaultAzureCredential(**options)
        return credential.get_token(self._scope)


def _secrets() -> Iterator[str]:
    """Yield what a host was sent, should it repeat it."""
    yield from (os.environ[name] for name in SECRETS if name in os.environ)
    with contextlib.suppress(OSError, KeyError, ValueError):
        yield Path(os.environ["AZURE_FEDERATED_TOKEN_FILE"]).read_text(encoding="utf-8").strip()
