"""Screen Plan of the page: what it says, what it measures, and what its advice changes."""

from __future__ import annotations

import html
import itertools
import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from tap_dynamics365.planning import units
from tests.commands.program import dynamics365
from tests.configure.client import client_of
from tests.configure.conftest import configuring
from tests.tap import reads

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.client import Sandbox
    from tests.configure.client import Answer, Client

POLLS = 1_200
NAMES = ("Rows", "Requests", "Bytes", "Time")


def figures(page: Answer) -> list[dict[str, str]]:
    """The figures of the first load, and of each run."""
    found = re.findall(r"<dt>(\w+)</dt><dd>(?:<span.*?</span>)?([^<]*)</dd>", page.text)
    assert len(found) == 2 * len(NAMES), page.text
    return [dict(found[:4]), dict(found[4:])]


def expected(load: dict[str, Any]) -> dict[str, str]:
    """The figures of a load that a command has printed."""
    numbers = ["?" if load[name] is None else f"{load[name]:,}" for name in ("rows", "requests")]
    texts = (*numbers, units.size(load["wire_bytes"]), units.duration(load["seconds"]))
    return dict(zip(NAMES, texts, strict=True))


def advices(page: Answer) -> list[str]:
    """The advices that have a button."""
    found = re.findall(r'name="advice" value="([^"]*)"', page.text)
    return [html.unescape(each) for each in found]


def measure(client: Client) -> Answer:
    """Read a page of each table, and wait until the page says that it is done."""
    client.post("/plan/measure")
    for _ in range(POLLS):
        part = client.get("/plan/progress")
        if part.headers.get("hx-retarget") == "#plan":
            return client.get("/plan")
        assert re.search(r"Tables read: \d+ of \d+", part.text)
        time.sleep(0.05)
    pytest.fail("The page does not say that it is done.")


def choose(client: Client, *tables: str) -> None:
    """Choose tables with all columns."""
    client.post("/tables/rules", {"rules": "\n".join(f"{each}.*" for each in tables)})


@pytest.mark.parametrize(
    ("fixture", "settings", "tables"),
    [
        ("sandbox", {}, ("account", "bulkdeletefailure", "team")),
        ("finance_sandbox", {"cross_company": True}, ("CustomersV3", "VendorsV2")),
        ("central_sandbox", {"companies": ["CRONUS*"]}, ("customers", "items")),
    ],
)
def test_plan_says_what_the_command_says(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    fixture: str,
    settings: dict[str, Any],
    tables: tuple[str, ...],
) -> None:
    sandbox: Sandbox = request.getfixturevalue(fixture)
    config = {**sandbox.settings, **settings}
    rules = [option for table in tables for option in ("--select", f"{table}.*")]
    printed = dynamics365("estimate", config, *tables, *rules, "--json").printed
    known = json.loads(printed)
    with configuring(tmp_path, config) as program:
        client = client_of(program)
        client.open()
        choose(client, *tables)
        sandbox.clear_requests()
        page = client.get("/plan")
        sent = [each["path"] for each in sandbox.requests()]
        # A page that is loaded again asks nothing again.
        client.get("/plan")
        assert [each["path"] for each in sandbox.requests()] == sent
        in_json = client.get("/plan/json").text
        measured = measure(client)
    assert figures(page) == [expected(known["first_load"]), expected(known["each_run"])]
    assert not [path for path in sent if path.rpartition("/")[2] in {*tables, "accounts", "teams"}]
    for text in (*known["notes"], *(advice["sentence"] for advice in known["advice"])):
        assert html.escape(text) in page.text
    shares = [each for limit in known["limits"] for each in (limit["first_load"],) if each]
    for share in shares:
        assert f"<span>{units.share(share)} of " in page.text
    assert f"<strong>{len(tables)} table" in page.text
    assert json.loads(in_json) == known
    # A sum without a table of which nothing is known is no sum of all.
    for load, name in itertools.product(("first_load", "each_run"), ("rows", "requests")):
        is_least = known[load][name] is not None and None in {
            table[load][name] for table in known["tables"]
        }
        words = f"at least </span>{known[load][name]}"
        assert (words in page.text) is is_least
    assert ("at least" in page.text) is (fixture == "finance_sandbox")
    assert ("requests in 24 hours</span>" in page.text) is (fixture == "sandbox")
    for load in figures(measured):
        assert not load["Bytes"].startswith("?")
        assert load["Time"].endswith(" s")
    assert "measured with one page of each" in measured.text
    assert " ms</td>" in measured.text


def test_advice_leaves_large_columns_out_and_keeps_other_measurements(
    client: Client, own_sandbox: Sandbox
) -> None:
    choose(client, "annotation", "team")
    page = measure(client)
    (advice,) = advices(page)
    assert advice.startswith("Large texts and images are about ")
    assert ": annotation.notetext. " in advice
    before = re.findall(r'name="column" value="(\w+)" aria-label="\w+" checked', columns(client))
    done = client.post("/plan/advice", {"advice": advice})
    (notice,) = done.notices
    assert notice.startswith("Left out: annotation.")
    after = re.findall(r'name="column" value="(\w+)" aria-label="\w+" checked', columns(client))
    left = {each.partition(".")[2] for each in notice[10:-1].split(", ")}
    assert {*before} - {*after} == left
    assert left == {"notetext"}
    # What was measured of the other table stays, and the page says what is missing.
    assert costs(done)["team"] == costs(page)["team"]
    assert costs(done)["annotation"][3:] == ["?", "?", "?"]
    assert "1 measured with one page of each" in done.text
    assert "left out of the sums: annotation." in done.text
    assert advices(done) == []
    own_sandbox.clear_requests()
    assert "Try one page of 1 more table" in done.text
    again = measure(client)
    assert not reads(own_sandbox.requests(), "teams")
    assert len(reads(own_sandbox.requests(), "annotations")) == 1
    assert "?" not in figures(again)[0].values()
    assert float(figures(again)[0]["Bytes"].split()[0]) < float(
        figures(page)[0]["Bytes"].split()[0]
    )
    # A table that comes back is known, too.
    choose(client, "annotation")
    assert figures(client.get("/plan"))[0]["Bytes"] == "?"
    choose(client, "team")
    assert "Try one page of each table again" in client.get("/plan").text
    assert costs(client.get("/plan"))["team"] == costs(page)["team"]


def costs(page: Answer) -> dict[str, list[str]]:
    """What each table costs, by its name."""
    lines = re.findall(r'<tr><th scope="row"><a [^>]*>(\w+)<.*?</tr>', page.text, re.DOTALL)
    whole = re.findall(r'<tr><th scope="row">.*?</tr>', page.text, re.DOTALL)
    cells = [re.findall(r'<td class="number">(.*?)</td>', line, re.DOTALL) for line in whole]
    return dict(zip(lines, cells, strict=True))


def columns(client: Client) -> str:
    """The columns of the table with large texts."""
    return client.get("/table?name=annotation").text


def test_advice_switches_the_replication(client: Client, own_sandbox: Sandbox) -> None:
    own_sandbox.track_changes("bulkdeletefailure", on=True)
    client.post("/connect", {"fetch_size": "4999", **address(own_sandbox)})
    choose(client, "bulkdeletefailure")
    (advice,) = advices(client.get("/plan"))
    assert "LOG_BASED costs 1 request" in advice
    page = client.post("/plan/advice", {"advice": advice})
    assert page.notices == ["bulkdeletefailure is replicated LOG_BASED."]
    assert "<td>LOG_BASED</td>" in page.text
    assert advices(page) == []
    assert figures(page)[1]["Rows"] == "0"
    replication = client.get("/table/replication?name=bulkdeletefailure").text
    assert re.search('value="LOG_BASED"[^>]* checked', replication)
    assert "bulkdeletefailure:\n" in client.get("/save").text


def address(sandbox: Sandbox) -> dict[str, str]:
    """The fields of Connect that a form must have."""
    return {"service_url": sandbox.service_url, "way": "person"}


def test_advice_that_the_plan_does_not_have_changes_nothing(client: Client) -> None:
    choose(client, "annotation", "team")
    (advice,) = advices(measure(client))
    rules = client.get("/tables").text.partition('id="rules"')[2].partition("</textarea>")[0]
    for sentence in ("", "Leave everything out.", advice + " "):
        page = client.post("/plan/advice", {"advice": sentence})
        assert page.notices == ["The plan has changed since. This is the new one."]
    assert rules in client.get("/tables").text
    # An advice for another choice is not followed either.
    choose(client, "team", "lead")
    page = client.post("/plan/advice", {"advice": advice})
    assert page.notices == ["The plan has changed since. This is the new one."]
    assert "annotation.*" not in client.get("/tables").text
    assert "!annotation" not in client.get("/tables").text


def test_table_that_can_not_be_read_is_named(client: Client, own_sandbox: Sandbox) -> None:
    choose(client, "lead", "team")
    own_sandbox.fault("lead", status=403, count=None)
    try:
        page = measure(client)
    finally:
        own_sandbox.clear_faults()
    assert page.text.count("be read</span>") == 1
    assert "<li>lead can&#39;t be read: " in page.text


def test_measurement_that_fails_says_why(client: Client, own_sandbox: Sandbox) -> None:
    client.post("/connect", {"ws_retry_count": "0", **address(own_sandbox)})
    choose(client, "team")
    client.get("/plan")
    own_sandbox.fault("teams", expire_tokens=True, count=None)
    own_sandbox.fault("/token", status=400, count=None)
    try:
        page = measure(client)
    finally:
        own_sandbox.clear_faults()
    (notice,) = page.notices
    assert notice.startswith("Sign-in was refused (HTTP 400)")
    # The estimate stays.
    assert figures(page)[0]["Requests"] == "1"


def test_plan_without_a_table_leads_to_the_choice(client: Client) -> None:
    client.post("/tables/rules", {"rules": ""})
    page = client.get("/plan")
    assert "No table is chosen." in page.text
    assert client.post("/plan/measure").notices == ["No table is chosen."]
    assert client.get("/plan/progress").status == 200
    assert client.get("/plan/json").notices == ["No table is chosen."]
