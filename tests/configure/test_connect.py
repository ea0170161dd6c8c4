"""Screen Connect of the page: settings, sign-in, environments and checks."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tap_dynamics365.settings.environment import PREFIX
from tests.commands.program import dynamics365
from tests.configure.client import until
from tests.configure.conftest import checks, configuring, signed_in
from tests.documents import without_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.client import Sandbox
    from tests.configure.client import Client
    from tests.login.program import Program

# Settings whose values are masked, and settings that select a way to sign in.
SECRETS = {
    "access_token",
    "client_certificate",
    "client_certificate_password",
    "client_secret",
    "password",
    "refresh_token",
}
SELECTORS = {
    "access_token",
    "authentication_method",
    "azure_credential",
    "client_certificate",
    "client_secret",
    "refresh_token",
    "token_store",
}


@pytest.fixture(scope="module")
def program(place: Path, own_sandbox: Sandbox) -> Iterator[Program]:
    """The command with the settings of a public client that nobody has signed in to."""
    settings = {
        "service_url": own_sandbox.service_url,
        "token_uri": own_sandbox.announced["token_uri"],
        "client_id": own_sandbox.announced["public_client_id"],
    }
    with configuring(place, settings) as started:
        yield started


@pytest.fixture
def again(client: Client, person: dict[str, str]) -> Client:
    """The page with the settings that it began with, whatever the tests before did."""
    client.post(
        "/connect",
        {
            **person,
            "token_store": "",
            "fetch_size": "",
            "tables": "",
        },
    )
    return client


def value(client: Client, name: str) -> str | None:
    """The value that the field of a setting shows; None if there is no such field."""
    found = re.search(
        rf'<input[^>]* name="{name}"[^>]* value="([^"]*)"', client.get("/connect").text
    )
    return found and found[1]


def written(client: Client) -> dict[str, str]:
    """The settings that the page would write, with its masks."""
    found = re.search(r"\+(\{[^<]*\})", html.unescape(client.get("/save?file=config.json").text))
    assert found
    settings: dict[str, str] = json.loads(found[1])
    return settings


def test_sign_in_in_the_browser_leads_back_to_the_page(again: Client, own_sandbox: Sandbox) -> None:
    assert checks(signed_in(again, own_sandbox, {"way": "person"})) == {}
    page = again.get("/connect")
    assert page.notices[0].startswith("Signed in as Ada Sandbox (ada@sandbox.onmicrosoft.com)")
    assert 'Refresh Token <span class="origin">from sign-in</span>' in page.text
    again.post("/connect/check", {"way": "person"})
    assert checks(again)["sign-in"][0] == "ok"
    assert "Connected" in again.get("/connect").text


def test_sign_in_that_can_not_succeed_does_not_begin(again: Client, tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("kept")
    form = {"way": "person", "client_id": "", "token_store": ""}
    for path in ("/connect/sign-in", "/connect/code"):
        (words,) = again.post(path, form).notices
        assert words.startswith("Setting client_id is missing: enter the Client ID")
        (words,) = again.post(
            path, {**form, "client_id": "invented", "token_store": str(other)}
        ).notices
        assert "contains something other than a refresh token" in words
        assert words.endswith(
            "Enter another file as Token Store, or none: the page then keeps the token until it "
            "ends."
        )
    assert other.read_text() == "kept"


def test_sign_in_with_a_token_store_keeps_the_token_there(
    again: Client, own_sandbox: Sandbox, tmp_path: Path
) -> None:
    store = tmp_path / "token.json"
    signed_in(again, own_sandbox, {"way": "person", "token_store": str(store)})
    assert again.get("/connect").notices[0].endswith(f"The refresh token is in {store}.")
    token = json.loads(store.read_text(encoding="utf-8"))["refresh_token"]
    assert token not in again.get("/connect").text
    again.post("/connect/check", {"way": "person", "token_store": str(store)})
    status, words = checks(again)["sign-in"]
    assert (status, words.split(". ")[0]) == (
        "ok",
        "As ada@sandbox.onmicrosoft.com, with the refresh token in token_store",
    )


def test_sign_in_that_the_host_refuses_is_reported_on_the_page(
    again: Client, own_sandbox: Sandbox
) -> None:
    own_sandbox.refuse_sign_in(50076)
    try:
        signed_in(again, own_sandbox, {"way": "person"})
    finally:
        own_sandbox.clear_faults()
    (words,) = again.get("/connect").notices
    assert "AADSTS50076" in words


def test_sign_in_with_a_code_goes_on_while_the_page_waits(
    again: Client, own_sandbox: Sandbox
) -> None:
    before = own_sandbox.configure(device_code_interval=1)
    try:
        shown = again.post("/connect/code", {"way": "person"}).text
        code = re.search(r'<strong class="code">(\S+)</strong>', shown)
        assert code
        assert f'href="{own_sandbox.url}/devicelogin"' in shown
        assert (
            'hx-get="/sign-in"'
            in again.send("GET", "/sign-in", headers={"HX-Request": "true"}).text
        )
        own_sandbox.approve_device(code[1])
        until(
            lambda: (
                "hx-redirect"
                in again.send("GET", "/sign-in", headers={"HX-Request": "true"}).headers
            )
        )
    finally:
        own_sandbox.configure(**before)
    assert again.get("/connect").notices[0].startswith("Signed in as Ada Sandbox")


def test_sign_in_that_is_cancelled_is_given_up(again: Client) -> None:
    assert "Waiting until you have entered it." in again.post("/connect/code").text
    assert "Sign in as" in again.post("/sign-in/cancel").text
    assert again.send("GET", "/sign-in").headers["location"] == "/connect"


def test_sign_in_without_an_environment_lists_the_environments(
    again: Client, own_sandbox: Sandbox
) -> None:
    # The sandbox has the list of its own; a real one is that of the cloud.
    form = {"way": "person", "service_url": f"{own_sandbox.url}/api/discovery/v2.0/"}
    signed_in(again, own_sandbox, form)
    page = again.get("/connect")
    assert page.notices == ["Signed in. Choose an environment."]
    assert f"<code>{own_sandbox.service_url}</code>" in page.text
    refused = again.post("/connect/environment", {"url": "https://invented.example/api/data/v9.2/"})
    assert refused.notices == ["The environment is not in the list: list the environments again."]
    again.post("/connect/environment", {"url": own_sandbox.service_url})
    assert value(again, "service_url") == own_sandbox.service_url
    found = checks(again)
    assert {"sign-in", "service", "tables"} <= {
        name for name, (how, _) in found.items() if how == "ok"
    }


def test_environments_are_listed_for_who_is_signed_in(again: Client, own_sandbox: Sandbox) -> None:
    asked = again.post("/connect/environments", {"way": "person"})
    assert asked.notices[0].startswith("Sign in first.")
    signed_in(again, own_sandbox, {"way": "person"})
    listed = again.post("/connect/environments", {"way": "person"})
    assert (listed.notices, own_sandbox.service_url in listed.text) == ([], True)


def test_checks_of_the_page_are_those_of_the_command(again: Client, own_sandbox: Sandbox) -> None:
    settings = {**own_sandbox.settings, "tables": ["team", "lead"]}
    again.post("/connect/paste", {"text": json.dumps(settings)})
    again.post("/connect/check")
    output = dynamics365("check", settings)
    assert output.status == 0
    ended = checks(again)
    report = re.search(r'id="report">([^<]*)</pre>', again.get("/connect").text)
    assert report
    heading, empty, *lines = html.unescape(report[1]).splitlines()
    assert heading.startswith("Checks of tap-dynamics365 ")
    assert (empty, len(lines)) == ("", len(ended))
    for line, (name, (status, words)) in zip(lines, ended.items(), strict=True):
        assert line.startswith(f"- **{status}** {name}: {html.unescape(words)}")
    found = {name: without_numbers(words) for name, (_, words) in ended.items()}
    assert found == {name: without_numbers(words) for name, (_, words) in output.checks.items()}


def test_checks_that_fail_say_what_to_do(again: Client) -> None:
    again.post("/connect/check", {"way": "secret", "client_secret": "wrong", "service_url": ""})
    assert checks(again)["settings"][0] == "failed"
    text = again.get("/connect").text
    assert "Setting service_url is missing" in text
    assert "Not run, because the check settings failed." in text


@pytest.mark.parametrize(
    ("way", "form", "grant"),
    [
        (
            "secret",
            {"client_secret": "{secret}", "client_id": "{id}", "scope": "{scope}"},
            "client_secret",
        ),
        ("token", {"access_token": "invented"}, "access_token"),
        ("basic", {"user": "ada", "password": "invented"}, "authentication_method=Basic"),
        ("ntlm", {"user": "a", "password": "b", "ntlm_domain": "C"}, "authentication_method=NTLM"),
        (
            "azure",
            {"azure_credential": "azure_cli", "client_id": "{id}", "scope": "{scope}"},
            "azure_credential=azure_cli",
        ),
        (
            "certificate",
            {
                "client_certificate": "no.pem",
                "client_certificate_password": "invented",
                "client_id": "{id}",
                "scope": "{scope}",
            },
            "client_certificate",
        ),
        (
            "person",
            {"refresh_token": "invented", "client_id": "{id}", "scope": "{scope}"},
            "refresh_token",
        ),
    ],
)
def test_each_way_to_sign_in_has_its_fields_and_puts_the_others_off(
    again: Client, own_sandbox: Sandbox, way: str, form: dict[str, str], grant: str
) -> None:
    again.post("/connect", {"way": "person", "refresh_token": "old", "token_store": "old.json"})
    known = {
        "secret": own_sandbox.settings["client_secret"],
        "id": own_sandbox.settings["client_id"],
        "scope": f"{own_sandbox.url}/.default",
    }
    sent = {name: text.format(**known) for name, text in form.items()}
    page = again.post("/connect", {"way": way, "service_url": own_sandbox.service_url, **sent})
    assert f'id="way-{way}" checked' in page.text
    shown = re.search(r"Removed, because they select another way to sign in: ([\w, ]+)", page.text)
    removed = set(shown[1].split(", ")) if shown else set()
    assert removed == (set() if way == "person" else {"refresh_token", "token_store"})
    kept = written(again)
    assert {name: kept[name] for name in sent if name not in SECRETS} == {
        name: text for name, text in sent.items() if name not in SECRETS
    }
    assert all(kept[name].startswith("••••") for name in SECRETS & sent.keys())
    name, _, choice = grant.partition("=")
    assert SELECTORS & kept.keys() == {name} | ({"token_store"} if way == "person" else set())
    assert not choice or kept[name] == choice
    again.post("/connect/check", {"way": way})
    status, words = checks(again)["sign-in" if way in {"secret", "token"} else "settings"]
    if way == "secret":
        assert (status, words.split(". ")[0].endswith(f"with {grant}")) == ("ok", True)
    elif way == "certificate":
        assert "no.pem" in words or "client_certificate" in words
    else:
        assert "select two ways" not in words
        assert "No way to sign in" not in words


@pytest.mark.parametrize(
    ("form", "problem", "step"),
    [
        (
            {"way": "secret", "client_id": ""},
            "Settings client_id and client_secret are missing",
            "enter Client ID and Client Secret",
        ),
        (
            {"way": "certificate", "client_id": "invented"},
            "Setting client_certificate is missing",
            "enter Client Certificate",
        ),
        ({"way": "azure"}, "Setting azure_credential is missing", "enter Azure Credential"),
        ({"way": "token"}, "Setting access_token is missing", "enter Access Token"),
        (
            {"way": "person", "client_id": ""},
            "Setting client_id is missing",
            "enter Client ID",
        ),
        ({"way": "person"}, "Nobody has signed in", "choose Sign in with Microsoft"),
    ],
)
def test_way_to_sign_in_that_lacks_a_field_names_it_on_each_screen(
    again: Client, form: dict[str, str], problem: str, step: str
) -> None:
    words = f"{problem}: on Connect, {step}, or choose another way to sign in."
    again.post("/connect/check", form)
    assert checks(again)["settings"] == ("failed", words)
    assert again.get("/tables").notices == [words]
    assert f"These settings do not work yet: {words}" in again.get("/save").notices


@pytest.mark.parametrize(
    ("text", "filled", "ignored"),
    [
        (
            "jdbc:datadirect:dynamics365:ServiceURL=https://a.example/data/;FetchSize=250;LoginTimeout=5;",
            {"service_url": "https://a.example/data/", "fetch_size": "250"},
            "Ignored: LoginTimeout has no effect in the tap.",
        ),
        (
            json.dumps({"service_url": "https://b.example/api/data/v9.2/", "colour": "red"}),
            {"service_url": "https://b.example/api/data/v9.2/"},
            "Ignored: colour is not a setting of the tap.",
        ),
        (
            (
                f"# comment\nexport {PREFIX}SERVICE_URL='https://c.example/data/'\n"
                f"{PREFIX}FETCH_SIZE=7\n{PREFIX}TABLES=account,lead\n{PREFIX}COLOUR=red\nA=x\n"
            ),
            {"service_url": "https://c.example/data/", "fetch_size": "7", "tables": None},
            "Ignored: colour is not a setting of the tap.",
        ),
        (
            json.dumps({"connection_url": "jdbc:datadirect:dynamics365:ClientID=abc;FetchSize=9;"}),
            {"client_id": "abc", "fetch_size": "9"},
            None,
        ),
    ],
    ids=["url", "config", "env", "url-in-config"],
)
def test_pasted_text_fills_the_fields_and_names_what_is_ignored(
    again: Client, text: str, filled: dict[str, str], ignored: str | None
) -> None:
    notices = again.post("/connect/paste", {"text": text}).notices
    assert notices[0].endswith(f"these settings are filled: {', '.join(filled)}.")
    assert notices[1:] == ([ignored] if ignored else [])
    assert {name: value(again, name) for name in filled} == filled


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "The text is no connection URL"),
        ("hello", "The text is no connection URL"),
        ("{", "The configuration is not a JSON object: correct it."),
        ("jdbc:datadirect:dynamics365:ClientIDD=1;", "connection_url has the unknown property"),
    ],
)
def test_pasted_text_that_can_not_be_read_is_refused_in_a_sentence(
    again: Client, text: str, words: str
) -> None:
    (notice,) = again.post("/connect/paste", {"text": text}).notices
    assert notice.startswith(words)


def test_pasted_value_of_another_type_is_ignored_without_repeating_it(again: Client) -> None:
    for text in ('{"fetch_size": "loads"}', f"{PREFIX}FETCH_SIZE=loads"):
        page = again.post("/connect/paste", {"text": text})
        assert page.notices[1] == "Ignored: fetch_size must be of the type integer."
        assert "loads" not in page.text


def test_pasted_url_of_the_page_replaces_no_secret_by_its_mask(
    again: Client, own_sandbox: Sandbox
) -> None:
    again.post("/connect/paste", {"text": json.dumps(own_sandbox.settings)})
    shown = re.search(r'id="url-text">([^<]*)</pre>', again.get("/connect").text)
    assert shown
    text = html.unescape(shown[1])
    assert "RefreshToken=••••;" in text
    page = again.post(
        "/connect/paste", {"text": text.replace("ServiceURL", "FetchSize=9;ServiceURL")}
    )
    assert {
        f"Ignored: {name} is masked in the text: it stays as it is here."
        for name in ("client_secret", "refresh_token")
    } <= {*page.notices[1:]}
    assert value(again, "fetch_size") == "9"
    again.post("/connect/check")
    assert checks(again)["sign-in"][0] == "ok"
    again.post("/connect/paste", {"text": f"{PREFIX}CLIENT_SECRET=•••• (set)"})
    again.post("/connect/check")
    assert checks(again)["sign-in"][0] == "ok"
    (notice,) = again.post("/connect", {"way": "person", "client_secret": "••••"}).notices
    assert notice == "Setting client_secret is masked in what you entered: enter the secret itself."


def test_pasted_settings_choose_the_way_to_sign_in(again: Client) -> None:
    settings = {"authentication_method": "ntlm", "user": "ada", "password": "invented"}
    page = again.post("/connect/paste", {"text": json.dumps(settings)})
    assert 'id="way-ntlm" checked' in page.text


def test_connection_url_follows_the_fields_and_masks_secrets(again: Client) -> None:
    def shown(text: str) -> str:
        found = re.search(r'id="url-text">([^<]*)</pre>', text)
        assert found
        return html.unescape(found[1])

    form = {"way": "secret", "client_id": "abc", "client_secret": "invented-secret"}
    own = [("csrf", again.csrf), *form.items()]
    before = shown(again.get("/connect").text)
    answer = again.send("POST", "/connect/url", own, {"HX-Request": "true"})
    assert {"ClientID=abc", "ClientSecret=••••"} <= {*shown(answer.text).split(";")}
    assert "invented-secret" not in answer.text
    # The fields are not taken yet.
    assert shown(again.get("/connect").text) == before
    again.post("/connect", {**form, "start_date": "2026-01-31"})
    page = again.get("/connect").text
    assert {"ClientID=abc", "ClientSecret=••••"} <= {*shown(page).split(";")}
    assert "start_date: the driver has no such property." in page
    again.post("/connect", {"way": "person", "start_date": ""})
    wrong = [("csrf", again.csrf), ("way", "person"), ("fetch_size", "many")]
    refused = again.send("POST", "/connect/url", wrong, {"HX-Request": "true"})
    assert "Setting fetch_size must be a whole number." in refused.text


def test_fields_of_every_type_are_taken_and_shown(again: Client) -> None:
    form = {
        "way": "person",
        "fetch_size": "100",
        "tables": "account, contact\nlead",
        "filters": '{"account": "statecode eq 0"}',
        "metadata_streams": "true",
        "create_map": "NotExist",
    }
    text = again.post("/connect", form).text
    assert value(again, "fetch_size") == "100"
    assert ">account, contact, lead</textarea>" in text
    assert ">{&#34;account&#34;: &#34;statecode eq 0&#34;}</textarea>" in text
    assert '<option value="true" selected>' in text
    assert "<option selected>NotExist</option>" in text
    again.post("/connect", dict.fromkeys((*form, "way"), "") | {"way": "person"})


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("fetch_size", "many", "Setting fetch_size must be a whole number."),
        ("fetch_size", "0", "Setting fetch_size must be 1 or more."),
        ("filters", "[]", "Setting filters must be a JSON object."),
        ("service_url", "ftp://x", "Setting service_url must be an absolute URL"),
        ("way", "sorcery", "There is no such way to sign in."),
    ],
)
def test_field_with_a_wrong_value_is_refused_in_a_sentence(
    again: Client, name: str, text: str, words: str
) -> None:
    notices = again.post("/connect", {"way": "person", name: text}).notices
    assert notices[-1].startswith(words)


def test_secret_stays_until_it_is_replaced_or_removed(again: Client) -> None:
    def is_set(text: str) -> bool:
        field = re.search(r'<input[^>]*name="client_secret"[^>]*>', text)
        assert field
        return "set; type to replace it" in field[0]

    assert is_set(again.post("/connect", {"way": "person", "client_secret": "one"}).text)
    assert is_set(again.post("/connect", {"way": "person", "client_secret": ""}).text)
    gone = {"way": "person", "client_secret": "", "remove.client_secret": "on"}
    assert not is_set(again.post("/connect", gone).text)


def test_header_names_project_account_and_connection(
    again: Client, own_sandbox: Sandbox, place: Path
) -> None:
    def header() -> str:
        found = re.search(r'(?s)<div class="status">(.*?)</div>', again.get("/query").text)
        assert found
        return " ".join(html.unescape(re.sub(r"<[^>]*>", "", found[1])).split())

    again.post("/connect", {"way": "person", "fetch_size": "9"})
    assert header() == f"Project {place} (config.json) Not connected"
    signed_in(again, own_sandbox, {"way": "person"})
    place_of = urlsplit(own_sandbox.url).netloc
    account = f"As Ada Sandbox (ada@sandbox.onmicrosoft.com), at {place_of}"
    assert header() == f"Project {place} (config.json) {account} Connected"
    # What is known belongs to the settings.
    again.post("/connect", {"way": "person", "fetch_size": "8"})
    assert header().endswith("(config.json) Not connected")
    again.post("/connect/check")
    checks(again)
    assert header().endswith(f"{account} Connected")
    (place / "meltano.yml").write_text("version: 1\n")
    assert header().startswith(f"Project {place} (meltano.yml) ")
    (place / "meltano.yml").unlink()


@pytest.mark.parametrize("path", ["/connect", "/connect/check", "/connect/paste"])
def test_field_that_is_wrong_loses_no_other_field(again: Client, path: str) -> None:
    form = {"way": "person", "client_id": "typed-invented", "fetch_size": "many", "text": "{}"}
    page = again.post(path, form)
    assert "Setting fetch_size must be a whole number." in page.notices
    assert value(again, "client_id") == "typed-invented"


@pytest.mark.parametrize("secret", ["invented-word", "invented/word", "ada:invented@word"])
def test_url_with_a_password_is_neither_taken_nor_shown(again: Client, secret: str) -> None:
    url = f"https://ada:{secret}@org.crm.dynamics.com"
    pasted = again.post("/connect/paste", {"text": json.dumps({"service_url": url})})
    typed = again.post("/connect", {"way": "person", "proxy_host": url})
    for page, name in ((pasted, "service_url"), (typed, "proxy_host")):
        assert any(
            f"Setting {name} has a user or password in its URL" in words for words in page.notices
        )
    for path in ("/connect", "/save", "/save?file=.env", "/save?file=url"):
        assert secret not in again.get(path).text


@pytest.mark.parametrize("text", ["\ud83d", "a\0b"])
def test_text_that_no_file_can_have_is_not_taken(again: Client, text: str) -> None:
    page = again.post("/connect/paste", {"text": json.dumps({"token_store": text})})
    words = "Ignored: Setting token_store has a character that no file can have: enter it again."
    assert words in page.notices
    assert page.status == 200
