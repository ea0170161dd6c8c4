"""Steps of the page to what a way to sign in needs, which are those of the documents."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pytest

from tap_dynamics365.configure.ways import WAYS
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from tests.configure.client import Client

PAGES = ("authentication.md", "business-central.md", "finance-and-operations.md")
SERVICES = {
    "Dataverse": ("https://invented-org.crm.dynamics.com", "user_impersonation"),
    "Finance & Operations": ("https://invented.operations.dynamics.com", "Odata.FullAccess"),
    "Business Central": (
        "https://api.businesscentral.dynamics.com/v2.0/invented.example/Production",
        "Financials.ReadWrite.All",
    ),
}


def plain(text: str) -> str:
    """A text without marks and line breaks."""
    return " ".join(re.sub(r"[*`]|\[|\]\([^)]*\)", "", text).split())


def guides(client: Client) -> dict[str, str]:
    """The steps of each way to sign in, as HTML."""
    found = re.findall(
        r'(?s)<details class="guide of-way in-(\w+)">(.*?)</details>', client.get("/connect").text
    )
    return dict(found)


@pytest.mark.parametrize("service", SERVICES)
def test_steps_of_each_way_are_those_of_the_documents(client: Client, service: str) -> None:
    url, permission = SERVICES[service]
    client.post("/connect", {"way": "person", "service_url": url})
    known = plain("\n".join((REPOSITORY / "docs" / page).read_text() for page in PAGES))
    found = guides(client)
    assert found.keys() == WAYS.keys()
    for way, guide in found.items():
        assert f"For {html.escape(service)}." in guide
        steps = re.findall(r"(?s)<li>(.*?)</li>", guide)
        assert len(steps) > 1
        for step in steps:
            # What to click, one after the other, is a path of the menus.
            marked = re.sub(r"</strong> &gt; <strong>", " &gt; ", step)
            for path in re.findall(r"<strong>(.*?)</strong>", marked):
                assert html.unescape(path) in known, way
    values = {
        way: re.findall(r'<code id="[^"]*">(.*?)</code>', guide) for way, guide in found.items()
    }
    assert values["person"] == [permission, "http://localhost"]
    for each in [*values["person"], *values["certificate"]]:
        assert html.unescape(each) in known
    origin = re.match("https://[^/]+", url)
    assert origin
    assert f"--resource {origin[0]} --query accessToken --output tsv" in values["token"][1]
