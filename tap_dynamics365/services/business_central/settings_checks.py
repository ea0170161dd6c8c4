"""Checks of settings: what Business Central does not have, and what it does not understand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_dynamics365.errors import SettingsError
from tap_dynamics365.services.business_central import address, routes
from tap_dynamics365.services.only_of import check_dataverse, check_finance_operations
from tap_dynamics365.settings import Grant

if TYPE_CHECKING:
    from tap_dynamics365.settings import Settings


def check_settings(settings: Settings) -> None:
    """Check that no setting asks for what Business Central does not have.

    Args:
        settings: The settings.

    Raises:
        SettingsError: A setting does, or a route is none.
    """
    routes.check(settings)
    if settings.replication_method == "LOG_BASED":
        msg = (
            "Don't set replication_method to LOG_BASED: Business Central tracks no changes and "
            "reports no deletes. To remove deleted rows from the target, use FULL_TABLE in the "
            "catalog with emit_activate_version_messages."
        )
        raise SettingsError(msg)
    if settings.grant is Grant.BASIC and address.parse(settings.service_url).is_online:
        msg = (
            "Don't set authentication_method to Basic: Business Central online ended basic "
            "authentication on 1 October 2022. Sign in with OAuth 2.0, such as with client_id and "
            "client_secret."
        )
        raise SettingsError(msg)
    check_finance_operations(settings)
    check_dataverse(settings, "Business Central")
