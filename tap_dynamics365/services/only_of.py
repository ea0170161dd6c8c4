"""Settings that only one of the services has: the others refuse them instead of ignoring them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_dynamics365.errors import SettingsError

if TYPE_CHECKING:
    from tap_dynamics365.settings import Settings


def check_dataverse(settings: Settings, service: str) -> None:
    """Check that no setting asks for what only Dataverse has.

    Args:
        settings: The settings.
        service: The name of the service that `service_url` leads to.

    Raises:
        SettingsError: A setting does.
    """
    for is_set, value, what in (
        (settings.metadata_streams, "metadata_streams to true", "describes its tables in streams"),
        (settings.show_name_columns, "show_name_columns to true", "sends labels and names"),
        (
            settings.replication_method == "LOG_BASED",
            "replication_method to LOG_BASED",
            "tracks changes",
        ),
    ):
        if is_set:
            msg = f"Don't set {value}: only Dataverse {what}, and service_url leads to {service}."
            raise SettingsError(msg)


def check_business_central(settings: Settings) -> None:
    """Check that no setting asks for what only Business Central has.

    Args:
        settings: The settings.

    Raises:
        SettingsError: A setting does.
    """
    for is_set, name in (
        (settings.companies, "companies"),
        (settings.sorted_tables, "sorted_tables"),
        (settings.api_routes, "api_routes"),
        (settings.keep_blank_dates, "keep_blank_dates to true"),
        (settings.keep_encoded_names, "keep_encoded_names to true"),
    ):
        if is_set:
            msg = (
                f"Don't set {name}: only Business Central has it, whose service_url ends with a "
                "path such as /api/v2.0/ or /ODataV4/. This service_url leads to another service."
            )
            raise SettingsError(msg)


def check_finance_operations(settings: Settings) -> None:
    """Check that no setting asks for what only Finance & Operations has.

    Args:
        settings: The settings.

    Raises:
        SettingsError: A setting does.
    """
    if settings.cross_company:
        msg = (
            "Don't set cross_company to true: only Finance & Operations has it, whose service_url "
            "ends with /data/. This service_url leads to another service."
        )
        raise SettingsError(msg)
