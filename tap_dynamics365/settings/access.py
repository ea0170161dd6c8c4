"""Settings of the access to a service: its URL, the sign-in, and the proxy."""

from __future__ import annotations

from tap_dynamics365.settings.choices import AuthenticationMethod, AzureCredential
from tap_dynamics365.settings.setting import Setting

ENVIRONMENT_URL = "https://yourorg.crm.dynamics.com"
EXAMPLE_URL = "https://yourorg.api.crm.dynamics.com/api/data/v9.2/"
MAX_PORT = 65535

SERVICE = (
    Setting(
        "service_url",
        "Service URL",
        f"URL of the environment, or of its API. Dataverse: `{ENVIRONMENT_URL}` or "
        f"`{EXAMPLE_URL}`. "
        "Finance & Operations: `https://yourorg.operations.dynamics.com` or "
        "`https://yourorg.operations.dynamics.com/data/`. Business Central: "
        "`https://api.businesscentral.dynamics.com/v2.0/<tenant>/<environment>`, with or without "
        "`/api/v2.0/`. On-premises, the path of the API is needed. Required, unless "
        "`connection_url` contains `ServiceURL`.",
        driver_property="ServiceURL",
        format="uri",
    ),
)

SIGN_IN = (
    Setting(
        "authentication_method",
        "Authentication Method",
        "How to sign in: `OAuth2`, or for on-premises servers `NTLM` or `Basic`. Case-insensitive. "
        "If not set, the tap uses `OAuth2`.",
        driver_property="AuthenticationMethod",
        without_value="OAuth2",
        choices=tuple(AuthenticationMethod),
        ignores_case=True,
    ),
    Setting(
        "token_uri",
        "Token URI",
        "URL of the token endpoint, such as "
        "`https://login.microsoftonline.com/<tenant>/oauth2/v2.0/token`. If not set, the tap asks "
        "the service for it and accepts only the sign-in hosts of Microsoft. For Business Central, "
        "it takes the tenant from `service_url`.",
        driver_property="TokenURI",
        format="uri",
        without_value="from the service",
    ),
    Setting(
        "client_id",
        "Client ID",
        "Application (client) ID of the app registration in Microsoft Entra ID.",
        driver_property="ClientID",
    ),
    Setting(
        "client_secret",
        "Client Secret",
        "Client secret of the app registration. Leave it out for a public client. Without "
        "`refresh_token`, the app signs in as itself.",
        driver_property="ClientSecret",
        is_secret=True,
    ),
    Setting(
        "client_certificate",
        "Client Certificate",
        "Certificate of the app registration and its private key, instead of `client_secret`: the "
        "path of a PEM file, or its text. Requires the extra `certificate`.",
        is_secret=True,
    ),
    Setting(
        "client_certificate_password",
        "Client Certificate Password",
        "Passphrase of the private key in `client_certificate`, if the key is encrypted.",
        is_secret=True,
    ),
    Setting(
        "refresh_token",
        "Refresh Token",
        "Refresh token, which the tap exchanges for access tokens at `token_uri`. Takes precedence "
        "over `access_token`.",
        driver_property="RefreshToken",
        is_secret=True,
    ),
    Setting(
        "token_store",
        "Token Store",
        "Path of the file in which the tap keeps new refresh tokens for the next run. "
        "`dynamics365 login` writes to it too.",
    ),
    Setting(
        "access_token",
        "Access Token",
        "Access token, which the tap uses as it is. It is valid for about an hour and can't be "
        "renewed.",
        driver_property="AccessToken",
        is_secret=True,
    ),
    Setting(
        "azure_credential",
        "Azure Credential",
        "Credential of the Azure environment to sign in with: `managed_identity`, "
        "`workload_identity`, `azure_cli`, or `default`, which tries them one after another. "
        "Requires the extra `azure`.",
        choices=tuple(AzureCredential),
    ),
    Setting(
        "scope",
        "Scope",
        "Scopes to request at sign-in, separated by spaces. If not set, the sign-in host chooses. "
        "An app that signs in as itself requests `<service>/.default`.",
        driver_property="Scope",
        without_value="depends on the way to sign in",
    ),
    Setting(
        "auth_uri",
        "Authorization URI",
        "URL of the authorization endpoint, where a person signs in. Used only by "
        "`dynamics365 login`. If not set, it is derived from `token_uri`.",
        driver_property="AuthURI",
        format="uri",
        without_value="derived from `token_uri`",
    ),
    Setting(
        "ntlm_domain",
        "NTLM Domain",
        "Windows domain of `user`, for NTLM. Requires the extra `ntlm`.",
        driver_property="NTLMDomain",
    ),
    Setting("user", "User", "User name for NTLM or Basic.", driver_property="User"),
    Setting(
        "password",
        "Password",
        "Password of `user`. In Business Central with Basic, the web service access key.",
        driver_property="Password",
        is_secret=True,
    ),
)

PROXY = (
    Setting(
        "proxy_host",
        "Proxy Host",
        "Host name or IP address of the HTTP proxy for all requests. Takes precedence over "
        "environment variables such as `HTTPS_PROXY`.",
        driver_property="ProxyHost",
    ),
    Setting(
        "proxy_port",
        "Proxy Port",
        "Port of `proxy_host`.",
        driver_property="ProxyPort",
        type="integer",
        minimum=0,
        maximum=MAX_PORT,
    ),
    Setting(
        "proxy_user",
        "Proxy User",
        "User name for `proxy_host`, if the proxy requires one.",
        driver_property="ProxyUser",
    ),
    Setting(
        "proxy_password",
        "Proxy Password",
        "Password of `proxy_user`.",
        driver_property="ProxyPassword",
        is_secret=True,
    ),
)

CONNECTION_URL = (
    Setting(
        "connection_url",
        "Connection URL",
        "Connection URL of the DataDirect JDBC driver: "
        "`jdbc:datadirect:dynamics365:ServiceURL=<URL>;ClientID=<ID>;`. Other settings take "
        "precedence over its properties.",
        is_secret=True,
    ),
)
