"""Directory: the list of the environments of a service that an account may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_dynamics365.odata.client import ODataClient
    from tap_dynamics365.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Environment:
    """An environment of a service.

    Attributes:
        name: Its name, as people know it.
        url: Its URL, as `service_url` takes it.
        type: Its type, such as `Production`; None if it is not known.
        region: A code of its region or country; None if it is not known.
        state: `enabled` or `disabled`; None if it is not known.
        version: Its version; None if it is not known.
    """

    name: str
    url: str
    type: str | None = None
    region: str | None = None
    state: str | None = None
    version: str | None = None


@dataclass(frozen=True, kw_only=True)
class Directory:
    """Where a service lists its environments, and how the list is read.

    Attributes:
        name: What has the list, as a subject of a sentence.
        url: Returns the root of the service that has the list, for the settings of an environment
            or of the list itself. Raises a `SettingsError` if there is no list.
        check_settings: Checks that the way to sign in, in the settings, is one that the list
            accepts.
        is_at: Tells whether a URL leads to the list, and names no environment.
        has_own_resource: Whether the list is a resource of its own at the sign-in host.
        read: Reads the list.
    """

    name: str
    url: Callable[[Settings], str]
    check_settings: Callable[[Settings], None]
    is_at: Callable[[str], bool]
    has_own_resource: bool
    read: Callable[[ODataClient], Sequence[Environment]]
