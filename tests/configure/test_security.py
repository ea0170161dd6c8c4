"""Security of the page: requests of other pages, other users and other programs, over HTTP."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from starlette.responses import PlainTextResponse

from tap_dynamics365.configure.access import Access
from tap_dynamics365.configure.security import Guard
from tap_dynamics365.settings.table import SETTINGS
from tests.configure.client import ADDRESS, Client, client_of, until
from tests.configure.conftest import OTHER_SECRETS, configuring
from tests.login.program import Program, running

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp

    from sandbox.client import Sandbox

Message = dict[str, Any]

#: Pages of a session, which need the cookie.
PAGES = (
    "/connect",
    "/connect/checks",
    "/tables",
    "/table?name=account",
    "/table/preview?name=lead",
    "/plan",
    "/plan/progress",
    "/save",
    "/query?path=accounts",
)
#: What forms of the page are sent to.
ACTIONS = (
    "/connect",
    "/connect/check",
    "/connect/sign-in",
    "/connect/code",
    "/connect/environments",
    "/connect/environment",
    "/connect/paste",
    "/connect/url",
    "/sign-in/cancel",
    "/tables",
    "/tables/rules",
    "/tables/count",
    "/table/columns",
    "/table/replication",
    "/plan/measure",
    "/plan/advice",
    "/save",
    "/end",
)
MARKUP = "<b onclick=alert(1)>&'"


def is_untouched(client: Client) -> bool:
    """Tell whether the address of the service is the one that the command began with."""
    return "invented.example" not in client.get("/connect").text


@pytest.fixture
def attack() -> dict[str, str]:
    """A form that would send the requests, and the token, elsewhere."""
    return {"service_url": "https://invented.example/api/data/v9.2/", "way": "person"}


@pytest.mark.parametrize("path", PAGES)
def test_page_without_the_cookie_is_refused(client: Client, path: str) -> None:
    for cookie in (None, f"{client.cookie}x", f"dynamics365-{client.port}=", "a=b; ;=", "é=1"):
        answer = client.send(
            "GET", path, headers={"Cookie": cookie and cookie.encode().decode("latin-1")}
        )
        assert answer.status == 403
        assert answer.text.startswith("This browser has not opened the page.")
    assert client.get(path).status == 200


@pytest.mark.parametrize("path", ACTIONS)
def test_form_without_the_cookie_is_refused(client: Client, path: str) -> None:
    answer = client.send("POST", path, {"csrf": client.csrf}, {"Cookie": None})
    assert answer.status == 403


@pytest.mark.parametrize(
    "host",
    [
        "invented.example",
        "invented.example:{port}",
        "localhost",
        "localhost:1",
        "localhost.invented.example:{port}",
        "127.0.0.1.invented.example:{port}",
        "localhost:{port}@invented.example",
        "LOCALHOST:{port}.",
        "127.1:{port}",
        "0.0.0.0:{port}",
        "",
    ],
)
def test_host_of_dns_rebinding_is_refused_for_every_address(client: Client, host: str) -> None:
    named = host.format(port=client.port)
    for path in ("/", "/connect", "/static/page.js"):
        assert client.send("GET", path, headers={"Host": named}).status == 421
    form = {"csrf": client.csrf}
    same = {"Host": named, "Origin": f"http://{named}"}
    assert client.send("POST", "/connect", form, same).status == 421
    assert client.send("POST", "/start", {"key": client.key}, same).status == 421


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
def test_host_of_this_machine_is_accepted(client: Client, name: str) -> None:
    assert client.send("GET", "/connect", headers={"Host": f"{name}:{client.port}"}).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://invented.example"},
        {"Origin": "http://invented.example:{port}"},
        {"Origin": "null"},
        {"Origin": None},
        {"Origin": ""},
        {"Origin": "https://localhost:{port}"},
        {"Origin": "http://localhost"},
        {"Origin": "http://127.0.0.1:{port}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
    ids=str,
)
def test_form_of_another_origin_is_refused_even_with_cookie_and_token(
    client: Client, attack: dict[str, str], headers: Mapping[str, str | None]
) -> None:
    sent = {name: value and value.format(port=client.port) for name, value in headers.items()}
    answer = client.send("POST", "/connect", {"csrf": client.csrf, **attack}, sent)
    assert (answer.status, answer.text) == (403, "The request comes from another page.")
    assert client.send("POST", "/start", {"key": client.key}, sent).status == 403
    assert is_untouched(client)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_page_that_another_page_asks_for_is_refused(client: Client, site: str) -> None:
    for path in (*PAGES, "/static/page.js"):
        assert client.send("GET", path, headers={"Sec-Fetch-Site": site}).status == 403
    assert client.send("GET", "/", headers={"Sec-Fetch-Site": site}).status == 303


def test_form_without_the_token_of_the_page_is_refused(
    client: Client, attack: dict[str, str]
) -> None:
    foreign = Access(client.port).csrf
    right = ("csrf", client.csrf)
    for tokens in ([], [("csrf", "")], [("csrf", foreign)], [("csrf", "é")], [right, right]):
        for path in ACTIONS:
            answer = client.send("POST", path, [*tokens, *attack.items()])
            assert (answer.status, answer.text[:27]) == (403, "The form is not one of this")
    assert is_untouched(client)


@pytest.mark.parametrize("form", ["text/plain", "application/json", "multipart/form-data", None])
def test_form_of_another_type_is_refused(client: Client, attack: dict[str, str], form: str) -> None:
    fields = {"csrf": client.csrf, **attack}
    assert client.send("POST", "/connect", fields, {"Content-Type": form}).status == 415
    assert is_untouched(client)


def test_form_that_is_too_large_is_refused(client: Client) -> None:
    answer = client.send("POST", "/connect", {"csrf": client.csrf, "way": "x" * 4_000_001})
    assert answer.status == 413


def test_request_that_only_reads_changes_nothing(client: Client, attack: dict[str, str]) -> None:
    query = "&".join(
        f"{name}={quote(value)}" for name, value in {"csrf": client.csrf, **attack}.items()
    )
    before = client.get("/connect").text
    for path in ACTIONS:
        assert client.send("GET", f"{path}?{query}").status in {200, 404, 405}
        assert client.send("HEAD", f"{path}?{query}").status in {200, 404, 405}
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"):
        assert client.send(method, f"/connect?{query}", {"csrf": client.csrf}).status == 405
    assert client.get("/connect").text == before


def test_key_works_once(client: Client) -> None:
    again = Client(client.address)
    answer = again.send("POST", "/start", {"key": again.key})
    assert (answer.status, "set-cookie" in answer.headers) == (403, False)
    assert answer.text.startswith("The key is wrong, was used already")


def test_key_that_is_wrong_is_refused_and_does_not_use_up_the_right_one(
    place: Path, own_sandbox: Sandbox
) -> None:
    with configuring(place, own_sandbox.settings) as started:
        client = client_of(started)
        for key in ("", "é", client.key[:-1], f"{client.key}x", client.csrf):
            assert client.send("POST", "/start", {"key": key}).status == 403
        # Before the key is exchanged, no cookie is right.
        name = f"dynamics365-{client.port}"
        for cookie in (f"{name}=", f"{name}={client.key}", ""):
            assert client.send("GET", "/connect", headers={"Cookie": cookie}).status == 403
        assert client.open().status == 303


def test_key_after_ten_minutes_is_refused() -> None:
    now = [0.0]
    access = Access(8365, clock=lambda: now[0])
    now[0] = 601
    assert access.exchange(access.key) is None
    in_time = Access(8365, clock=lambda: now[0])
    now[0] += 599
    assert in_time.exchange(in_time.key)


def test_cookie_is_for_this_page_alone(place: Path, own_sandbox: Sandbox) -> None:
    with configuring(place, own_sandbox.settings) as started:
        client = client_of(started)
        answer = client.send("POST", "/start", {"key": client.key})
        name, _, rest = answer.headers["set-cookie"].partition("=")
        value, *flags = rest.split("; ")
        assert name == f"dynamics365-{client.port}"
        assert len(value) >= 43
        assert value != client.key
        assert sorted(flags) == ["HttpOnly", "Path=/", "SameSite=Strict"]


def test_every_answer_has_the_headers_that_keep_the_page_to_itself(client: Client) -> None:
    answers = [
        client.get("/connect"),
        client.get("/static/page.js"),
        client.get("/static/../access.py"),
        client.get("/nowhere"),
        client.get("/connect/check"),
        client.get("/table?name=nothing"),
        client.send("GET", "/connect", headers={"Cookie": None}),
        client.send("GET", "/", headers={"Host": "invented.example"}),
        client.send("POST", "/connect", {}),
        client.send("PUT", "/connect", {}),
        client.send("POST", "/start", {"key": "wrong"}),
        client.send("GET", "/?state=forged&code=x"),
        client.send("GET", "/", headers={"Cookie": None}),
    ]
    assert {answer.status for answer in answers} == {200, 400, 403, 404, 405, 421}
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
        assert policy.endswith("form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "server" not in answer.headers


def test_file_outside_the_static_folder_is_not_served(client: Client) -> None:
    for path in ("../access.py", "%2e%2e/access.py", "..%2faccess.py", "//etc/passwd", "."):
        answer = client.send("GET", f"/static/{path}")
        assert (answer.status, answer.text) == (404, "There is no such page.")


def test_page_is_reached_at_loopback_addresses_alone(client: Client) -> None:
    assert client.get("/connect").status == 200
    found = {str(each[4][0]) for each in socket.getaddrinfo(socket.gethostname(), None)}
    for host in found - {"127.0.0.1", "::1"}:
        with pytest.raises(OSError, match="refused"):
            client.send("GET", "/connect", to=host)
    listening = Path(f"/proc/{'self'}/net/tcp").read_text(encoding="ascii").splitlines()
    ours = [
        line.split()[1] for line in listening if line.split()[1].endswith(f":{client.port:04X}")
    ]
    assert {address.partition(":")[0] for address in ours} == {"0100007F"}


def test_secrets_are_in_no_page_and_no_log(
    program: Program, client: Client, own_sandbox: Sandbox
) -> None:
    new = "invented-replaced-secret"
    seen = [client.post("/connect", {"way": "person", "client_secret": new})]
    secret = own_sandbox.settings["client_secret"]
    pasted = f"jdbc:datadirect:dynamics365:ClientSecret={secret};Password=invented-pasted;"
    seen.append(client.post("/connect/paste", {"text": pasted}))
    seen.append(client.post("/connect/paste", {"text": "ClientSecret=invented-torn;x"}))
    seen.append(client.post("/connect/paste", {"text": '{"client_secret": "invented-torn'}))
    seen.append(client.post("/connect/check", {"way": "person"}))
    until(lambda: "Checking." not in client.get("/connect/checks").text)
    checks = client.get("/connect/checks").text
    assert "tables" in checks
    seen += [client.get(path) for path in PAGES]
    secrets = [
        new,
        "invented-pasted",
        "invented-torn",
        secret,
        own_sandbox.settings["refresh_token"],
        *OTHER_SECRETS.values(),
        *own_sandbox.issued(),
        client.key,
        client.cookie.partition("=")[2],
    ]
    for answer in seen:
        text = answer.text + json.dumps(dict(answer.headers))
        assert not [each for each in secrets if each in text]
    assert not [each for each in secrets if each != client.key and each in program.shown]


def test_field_of_a_secret_says_only_that_it_is_set(client: Client) -> None:
    text = client.get("/connect").text
    secrets = [name for name, setting in SETTINGS.items() if setting.is_secret]
    for name in secrets:
        field = re.search(rf'<(?:input|textarea)[^>]* name="{name}"[^>]*>([^<]*)', text)
        if field:
            assert 'value=""' in field[0] or field[0].startswith("<textarea")
            assert not field[1].strip()
    assert 'placeholder="set; type to replace it"' in text


def test_markup_of_the_service_is_shown_as_text(client: Client, own_sandbox: Sandbox) -> None:
    own_sandbox.add_table(MARKUP)
    own_sandbox.relabel_column("contact", "firstname", MARKUP, MARKUP)
    own_sandbox.insert("team", [{"name": "<script>alert(2)</script>"}])
    # Other settings, so that the tables are read again.
    client.post("/connect", {"way": "person", "fetch_size": "4000"})
    name = quote(MARKUP)
    pages = [
        client.get("/tables"),
        client.get(f"/tables?text={name}"),
        client.get(f"/table?name={name}"),
        client.get(f"/table/preview?name={name}"),
        client.get("/table?name=contact"),
        client.get("/table/preview?name=team&values=1"),
        client.get(f"/table?name={quote('</h2><script>alert(3)</script>')}"),
    ]
    assert sum("&lt;b onclick=alert(1)&gt;&amp;&#39;" in page.text for page in pages) == 5
    assert "&lt;script&gt;alert(2)&lt;/script&gt;" in pages[5].text
    for page in pages:
        assert "<b onclick" not in page.text
        assert not re.search(r"<script(?! src=\"/static/)", page.text)
        assert " style=" not in page.text


def test_redirect_of_another_sign_in_is_ignored(client: Client) -> None:
    client.post("/connect/sign-in", {"way": "person"})
    for query in ("code=stolen&state=forged", "code=stolen", "state=", "error=access_denied"):
        answer = client.send("GET", f"/?{query}", headers={"Cookie": None})
        assert answer.status == 400
        assert "This is not the current sign-in" in answer.text
    assert "Go to 127.0.0.1" in client.get("/sign-in").text
    client.post("/sign-in/cancel")


def test_browser_gets_the_key_in_a_file_that_only_its_owner_can_read(
    place: Path, own_sandbox: Sandbox, tmp_path: Path
) -> None:
    opened, script = tmp_path / "opened", tmp_path / "invented-browser"
    script.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}.new\nmv {opened}.new {opened}\n')
    script.chmod(0o755)
    environment = {"BROWSER": str(script)}
    with configuring(place, own_sandbox.settings, environment=environment) as started:
        address = started.expect(ADDRESS)[1]
        assert "Your browser opens." in started.shown
        until(opened.exists)
        url = opened.read_text(encoding="utf-8")
        assert address.partition("#k=")[2] not in url
        file = Path(url.removeprefix("file://"))
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert f'content="0;url={address}"' in file.read_text(encoding="utf-8")
        started.interrupt()
        assert started.end() == 130
    assert not file.exists()


def test_page_that_nobody_uses_ends(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path\n"
        "from tap_dynamics365.configure.server import serve\n"
        "from tap_dynamics365.configure.session import Session\n"
        "serve(Session(Path(), {}), idle=1)\n"
    )
    with running(tmp_path, command=("-c", program)) as started:
        client = client_of(started)
        # Whoever has no cookie does not keep the page alive.
        for _ in range(5):
            assert client.send("GET", "/connect").status == 403
        assert started.end() == 0
        words = "because nobody used the page for 0 minutes. Files that were written stay as they"
        assert words in started.shown


def sent_through(app: ASGIApp, access: Access, path: str, **headers: str) -> list[Message]:
    """Send a request through the guard to another page than that of the command."""
    answered: list[Message] = []
    named = {"host": f"localhost:{access.port}", **headers}
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": path}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in named.items()]

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        answered.append(dict(message))

    asyncio.run(Guard(app, access)(scope, receive, send))  # type: ignore[arg-type]
    return answered


def test_only_requests_with_the_cookie_keep_the_page() -> None:
    now = [0.0]
    access = Access(8365, clock=lambda: now[0])
    cookie = str(access.exchange(access.key)).partition(";")[0]
    now[0] = 60
    for path in ("/", "/static/page.js", "/connect"):
        sent_through(PlainTextResponse("…"), access, path)
    assert access.used_at == 0
    sent_through(PlainTextResponse("…"), access, "/connect", cookie=cookie)
    assert access.used_at == 60


def test_unexpected_error_shows_no_text_that_may_be_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(*_: object) -> None:
        message = "invented-secret"
        raise RuntimeError(message)

    start, body = sent_through(fail, Access(8365), "/")
    assert start["status"] == 500
    assert (b"x-content-type-options", b"nosniff") in start["headers"]
    assert body["body"] == b"Unexpected RuntimeError. The terminal has more."
    words = "Unexpected RuntimeError. Report it with the log at level DEBUG."
    assert [(each.levelname, each.message) for each in caplog.records] == [("ERROR", words)]


def test_button_end_ends_the_page(place: Path, own_sandbox: Sandbox) -> None:
    with configuring(place, own_sandbox.settings) as started:
        client = client_of(started)
        client.open()
        answer = client.send("POST", "/end", {"csrf": client.csrf})
        assert "The page has ended" in answer.text
        assert started.end() == 0
        assert "Files that you have written stay as they are." in answer.text
        assert "Ended with the button End. Files that were written stay" in started.shown
        with pytest.raises(OSError, match="refused"):
            client.get("/connect")


@pytest.mark.parametrize(
    ("connection", "user", "command"),
    [
        ("192.0.2.1 50000 192.0.2.2 22", "ada", "ssh -L {port}:127.0.0.1:{port} ada@{host}"),
        # Another port, IPv6, and a user of a Windows domain.
        (
            "2001:db8::1 50000 2001:db8::2 2222",
            "INVENTED\\ada",
            "ssh -p 2222 -L {port}:127.0.0.1:{port} 'INVENTED\\ada@{host}'",
        ),
    ],
)
def test_page_over_ssh_names_the_tunnel_and_opens_no_browser(
    place: Path, own_sandbox: Sandbox, connection: str, user: str, command: str
) -> None:
    environment = {"SSH_CONNECTION": connection, "LOGNAME": user}
    with configuring(place, own_sandbox.settings, environment=environment) as started:
        port = client_of(started).port
        expected = command.format(port=port, host=socket.gethostname())
        assert f"\n    {expected}\n" in started.shown
        assert "browser opens" not in started.shown
