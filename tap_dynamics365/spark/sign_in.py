"""Sign-in: what tasks sign in with.

An app signs in wherever it runs, as often as it has to. A person signs in on the driver alone, and
tasks get the access token: a refresh token may be valid only once, and should not leave the driver.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_dynamics365.settings import Grant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_dynamics365.spark.options import Options
    from tap_dynamics365.spark.source import SparkSource

# Settings of a person's sign-in, which stay on the driver.
_OF_A_PERSON = frozenset(
    {
        "azure_credential",
        "client_id",
        "client_secret",
        "client_certificate",
        "client_certificate_password",
        "refresh_token",
        "token_store",
    }
)
# What Azure gives to a machine. Executors have it as the driver does.
_OF_A_MACHINE = frozenset({"managed_identity", "workload_identity"})


@dataclass(frozen=True)
class SignIns:
    """What tasks sign in with.

    Attributes:
        configs: The settings for each app; at least one.
        is_renewable: Whether a task can sign in again.
    """

    configs: Sequence[Mapping[str, Any]] = field(repr=False)
    is_renewable: bool


def of_tasks(options: Options, source: SparkSource) -> SignIns:
    """Return what tasks sign in with.

    Args:
        options: The options of the DataFrame.
        source: The service, which the driver signs in to.

    Raises:
        SignInError: The sign-in host gave no token.
    """
    grant = source.grant
    is_machine = options.config.get("azure_credential") in _OF_A_MACHINE
    if grant is Grant.REFRESH_TOKEN or (grant is Grant.AZURE and not is_machine):
        kept = {name: value for name, value in options.config.items() if name not in _OF_A_PERSON}
        return SignIns([{**kept, "access_token": source.access_token()}], is_renewable=False)
    configs = [{**options.config, **app} for app in options.apps]
    return SignIns(configs, is_renewable=grant is not Grant.ACCESS_TOKEN)
