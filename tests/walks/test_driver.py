"""Walk of a user of the JDBC driver: the connection URL as it is, through discovery and sync."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.documents import Document
from tests.walks import readme
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.client import Sandbox
    from tests.walks.newcomer import Newcomer

PAGE = Document(REPOSITORY / "docs" / "driver-properties.md")
(CONFIG,) = PAGE.commands("a-connection-url-of-the-driver", "json")
OF_THE_DRIVER = b"A map of the driver\0\xff, which is no text"


def with_values(url: str, values: dict[str, str]) -> str:
    """Replace values of properties, which have to be there."""
    parts = url.split(";")
    names = [part.partition("=")[0].rpartition(":")[2] for part in parts]
    for name, value in values.items():
        at = names.index(name)
        before, verb, _ = parts[at].partition("=")
        parts[at] = f"{before}{verb}{value}"
    return ";".join(parts)


def test_walk_with_a_url_of_the_driver_leaves_its_file_alone(
    newcomer: Newcomer, sandbox: Sandbox, tmp_path: Path
) -> None:
    driver_file = tmp_path / "driver" / "dynamics365.config"
    driver_file.parent.mkdir()
    driver_file.write_bytes(OF_THE_DRIVER)
    url = with_values(
        json.loads(CONFIG)["connection_url"],
        {
            "ServiceURL": sandbox.service_url,
            "TokenURI": f"POST {sandbox.announced['token_uri']}",
            "ClientID": sandbox.announced["client_id"],
            "ClientSecret": sandbox.announced["client_secret"],
            "RefreshToken": sandbox.announced["refresh_token"],
            "SchemaMap": str(driver_file),
        },
    )
    # As copied from a Java program.
    newcomer.write("config.json", json.dumps({"connection_url": f'"{url}";'}))
    output = newcomer.run(readme.FIRST_RUN)
    assert "Without effect in connection_url: LoginTimeout, LogConfigFile." in output
    assert driver_file.read_bytes() == OF_THE_DRIVER
    (ours,) = set(driver_file.parent.iterdir()) - {driver_file}
    assert ours.name == "dynamics365.config.tap-dynamics365.json"
    assert len(newcomer.rows("account-*.jsonl")) == len(sandbox.rows("account"))
    assert "Sent " in newcomer.run(readme.NEXT_RUN)
    assert driver_file.read_bytes() == OF_THE_DRIVER
