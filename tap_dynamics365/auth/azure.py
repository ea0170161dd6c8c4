"""Azure credentials: managed identity, workload identity and the sign-in of the Azure CLI."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from typing_extensions import override

from tap_dynamics365.auth import refusals
from tap_dynamics365.auth.authenticator import RenewingAuthenticator
from tap_dynamics365.auth.extras import missing
from tap_dynamics365.auth.token_endpoint import Tokens
from tap_dynamics365.errors import SignInError, TransientSignInError
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
    _error = missing("azure_credential", "azure")
    raise _error from None

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests
    from azure.core.credentials import AccessToken, TokenCredential

    from tap_dynamics365.http.throttle import Throttle
    from tap_dynamics365.http.traffic import Traffic
    from tap_dynamics365.settings import Settings

# The host that gives tokens to virtual machines, and the variables that name it elsewhere. It is
# on this machine or in its network, and is reached without a proxy.
# https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
METADATA_HOST = "169.254.169.254"
ENDPOINTS = (
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "IDENTITY_ENDPOINT",
    "IMDS_ENDPOINT",
    "MSI_ENDPOINT",
)

# The secrets that azure-identity reads from the environment.
SECRETS = (
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_CLIENT_SECRET",
    "AZURE_PASSWORD",
    "IDENTITY_HEADER",
    "MSI_SECRET",
)


class AzureAuthenticator(RenewingAuthenticator):
    """Fetches access tokens through azure-identity.

    Args:
        settings: The settings, with an Azure credential. `client_id` is that of a user-assigned
            identity.
        throttle: Pauses all requests.
        traffic: Counts requests and bytes.
    """

    def __init__(
        self, settings: Settings, throttle: Throttle | None = None, traffic: Traffic | None = None
    ) -> None:
        super().__init__()
        self._settings = settings
        self._throttle = throttle
        self._traffic = traffic
        # Whether there was a token before. From then on, a failure without a code of Entra ID
        # comes from a gateway, and is transient.
        self._is_reached = False
        self._scope = settings.scope or f"{settings.origin}/.default"

    @override
    def fetch(self) -> Tokens:
        """Fetch an access token.

        Each call creates a new credential. An existing one would return the cached token that the
        service refused.
        """
        chosen = self._settings.azure_credential
        try:
            with self._through_proxy() as session:
                token = self._token(session)
        except (ServiceRequestError, ServiceResponseError):
            msg = f"azure_credential={chosen}: the sign-in host could not be reached."
            raise TransientSignInError(msg) from None
        except (AzureError, OSError, ValueError) as error:
            refusal = refusals.from_words(redact(str(getattr(error, "message", error)), _secrets()))
            reason = "no reason given." if refusal is None else refusal.sentence
            msg = f"azure_credential={chosen} gives no token: {reason}"
            is_transient = refusal is not None and refusal.is_transient
            has_no_code = refusal is None or refusal.code is None
            if is_transient or (self._is_reached and has_no_code):
                raise TransientSignInError(msg) from None
            raise SignInError(msg) from None
        self._is_reached = True
        return Tokens(token.token, max(1.0, token.expires_on - time.time()))

    def _through_proxy(self) -> requests.Session:
        """Open a session that uses the proxy, except for the hosts of managed identity."""
        session = open_session(self._settings, self._throttle, self._traffic)
        if session.proxies:
            hosts = [urlsplit(os.environ.get(name, "")).hostname for name in ENDPOINTS]
            for host in filter(None, [METADATA_HOST, *hosts]):
                session.proxies[f"http://{host}"] = ""
        return session

    def _token(self, session: requests.Session) -> AccessToken:
        """Fetch a token with the configured credential."""
        client_id = self._settings.client_id
        credential: TokenCredential
        options: dict[str, Any] = {
            "transport": RequestsTransport(session=session, session_owner=False)
        }
        match self._settings.azure_credential:
            case "managed_identity":
                credential = ManagedIdentityCredential(client_id=client_id, **options)
            case "workload_identity":
                # The tap itself retries transient failures, and logs them.
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
    """Yield the secrets that a host was sent and may repeat in its message."""
    yield from (os.environ[name] for name in SECRETS if name in os.environ)
    with contextlib.suppress(OSError, KeyError, ValueError):
        yield Path(os.environ["AZURE_FEDERATED_TOKEN_FILE"]).read_text(encoding="utf-8").strip()
