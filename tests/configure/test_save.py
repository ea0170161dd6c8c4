"""Screen Save of the page: what it writes, what it shows before, and what it refuses."""

from __future__ import annotations

import ast
import html
import json
import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.configure.client import client_of
from tests.configure.conftest import COMMAND, OTHER_SECRETS, configuring
from tests.login.program import running, variables
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.client import Sandbox
    from tests.configure.client import Answer, Client
    from tests.login.program import Program

RULES = {"rules": "team.*\n!team.description"}
NEWEST = "Nothing is written, because the form is not that of the newest diff. This is it."


@pytest.fixture(scope="module")
def folder(place: Path) -> Path:
    """The folder of the project, apart from the configuration file."""
    own = place / "a project, 100%"
    own.mkdir()
    return own


@pytest.fixture(scope="module")
def program(place: Path, folder: Path, own_sandbox: Sandbox) -> Iterator[Program]:
    """The command, in a folder of its own."""
    settings = {**own_sandbox.settings, **OTHER_SECRETS, "fetch_size": 77}
    with configuring(place, settings, "--project", str(folder)) as started:
        yield started


@pytest.fixture(autouse=True)
def empty(folder: Path) -> None:
    """An empty project."""
    for each in folder.iterdir():
        shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()


@pytest.fixture
def secrets(own_sandbox: Sandbox) -> set[str]:
    """The secrets of the session."""
    names = ("client_secret", "refresh_token")
    return {*OTHER_SECRETS.values(), *(own_sandbox.settings[name] for name in names)}


def form_of(page: Answer) -> dict[str, str]:
    """The fields of the form that writes."""
    names = ("file", "shown")
    found = [re.search(rf'name="{name}" value="([^"]*)"', page.text) for name in names]
    assert all(found), page.text
    return {name: html.unescape(each[1]) for name, each in zip(names, found, strict=True) if each}


def diff(page: Answer) -> str:
    """The diffs that the page shows."""
    found = re.findall(r'(?s)<pre tabindex="0" class="block diff".*?</pre>', page.text)
    return html.unescape(re.sub(r"<[^>]*>", "", "".join(found)))


def files(folder: Path) -> dict[str, str]:
    """The files of the project."""
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def write(client: Client, name: str) -> Answer:
    """Have a file shown, and written."""
    return client.post("/save", form_of(client.get(f"/save?file={name}")))


def mode(path: Path) -> int:
    """The permissions of a file."""
    return path.stat().st_mode & 0o777


def test_meltano_yml_is_shown_and_then_written_with_env(
    client: Client, folder: Path, own_sandbox: Sandbox, secrets: set[str]
) -> None:
    client.post("/tables/rules", RULES)
    page = client.get("/save")
    assert '+    - "!team.description"' in diff(page)
    assert "+TAP_DYNAMICS365_CLIENT_SECRET=•••• (set)" in diff(page)
    assert files(folder) == {}
    done = client.post("/save", form_of(page))
    paths = [folder / name for name in ("meltano.yml", ".env")]
    assert done.notices == [f"Written: {', '.join(map(str, paths))}."]
    assert "Nothing changes" in done.text
    assert "meltano run tap-dynamics365 target-jsonl" in done.text
    (block,) = yaml.safe_load(paths[0].read_text())["plugins"]["extractors"]
    assert block["select"] == RULES["rules"].split("\n")
    assert block["config"]["fetch_size"] == 77
    assert block["config"]["service_url"] == own_sandbox.service_url
    assert mode(paths[1]) == 0o600
    written = paths[0].read_text()
    for secret in secrets:
        assert secret not in page.text + done.text + written
        assert secret in paths[1].read_text()


def test_other_files_have_settings_and_choice(
    client: Client, folder: Path, own_sandbox: Sandbox, secrets: set[str]
) -> None:
    client.post("/tables/rules", RULES)
    pages = [write(client, name) for name in ("config.json", ".env", "catalog.json")]
    config = json.loads((folder / "config.json").read_text())
    assert config == {**own_sandbox.settings, **OTHER_SECRETS, "fetch_size": 77}
    assert mode(folder / "config.json") == mode(folder / ".env") == 0o600
    variables = (folder / ".env").read_text()
    assert "TAP_DYNAMICS365_FETCH_SIZE=77" in variables
    catalog = json.loads((folder / "catalog.json").read_text())
    selected = {
        (stream["tap_stream_id"], *each["breadcrumb"][1:])
        for stream in catalog["streams"]
        for each in stream["metadata"]
        if each["metadata"].get("selected")
    }
    assert {name for name, *_ in selected} == {"team"}
    assert ("team", "name") in selected
    assert ("team", "description") not in selected
    assert mode(folder / "catalog.json") != 0o600
    for page in pages:
        assert "Nothing changes" in page.text
        assert not [secret for secret in secrets if secret in page.text]


def test_settings_and_choice_are_written_in_one_go(
    client: Client, folder: Path, secrets: set[str]
) -> None:
    client.post("/tables/rules", RULES)
    page = client.get("/save?file=config.json+and+catalog.json")
    assert "Write config.json and catalog.json" in page.text
    done = client.post("/save", form_of(page))
    assert files(folder).keys() == {"config.json", "catalog.json"}
    assert mode(folder / "config.json") == 0o600
    assert "--config config.json --catalog catalog.json | target-jsonl" in done.text
    assert not [secret for secret in secrets if secret in page.text + done.text]


def schedules(page: Answer) -> dict[str, str]:
    """The texts that run the project on a schedule."""
    found = re.findall(
        r'(?s)<summary>([\w ]+)</summary>\s*<p class="hint">.*?</p>\s*'
        r'<pre tabindex="0" class="block" id="schedule-\d">(.*?)</pre>',
        page.text,
    )
    return {name: html.unescape(text) for name, text in found}


def test_schedules_are_fitted_to_the_saved_project(
    client: Client, folder: Path, secrets: set[str]
) -> None:
    (folder / "meltano.yml").write_text("plugins:\n  loaders:\n  - name: target-csv\n")
    found = schedules(client.get("/save"))
    run = "meltano run tap-dynamics365 target-csv"
    times, line = found["cron"][:11], found["cron"][11:].replace("\\%", "%")
    assert (times, "%" in found["cron"].replace("\\%", "")) == ("15 * * * * ", False)
    words = shlex.split(line)
    assert (words[:2], run in line) == (["cd", str(folder)], True)
    dag = ast.parse(found["Airflow"])
    given = {each.arg: each.value for each in ast.walk(dag) if isinstance(each, ast.keyword)}
    assert ast.literal_eval(given["cwd"]) == str(folder)
    assert ast.literal_eval(given["bash_command"]) == run
    *_, last = yaml.safe_load(found["GitHub Actions"])["jobs"]["extract"]["steps"]
    assert last["run"] == run
    assert last["env"] == {
        "MELTANO_STATE_BACKEND_URI": "${{ vars.STATE_BACKEND_URI }}",
        **{
            f"TAP_DYNAMICS365_{name.upper()}": f"${{{{ secrets.{name.upper()} }}}}"
            for name in (*OTHER_SECRETS, "client_secret", "refresh_token")
        },
    }
    (name, script), *more = schedules(client.get("/save?file=config.json+and+catalog.json")).items()
    assert (name, more) == ("cron", [])
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)  # noqa: S607 - of the test
    assert "--config config.json --catalog catalog.json" in script
    assert ".env" not in script
    assert not [secret for secret in secrets if secret in "".join([*found.values(), script])]


def test_schedules_are_those_of_the_examples() -> None:
    package = REPOSITORY / "tap_dynamics365" / "configure" / "schedules"
    for name, example in (
        ("extract.sh", "cron/extract.sh"),
        ("dynamics365.py.txt", "airflow/dynamics365.py"),
        ("extract.yml", "github-actions/extract.yml"),
    ):
        assert (package / name).read_text() == (REPOSITORY / "examples" / example).read_text()


def test_connection_url_has_no_secret_and_is_not_written(
    client: Client, folder: Path, secrets: set[str]
) -> None:
    page = client.get("/save?file=url")
    found = re.search(r'id="url">(.*?)</pre>', page.text)
    assert found
    assert "FetchSize=77;" in found[1]
    assert "ClientSecret=••••;" in found[1]
    assert not [secret for secret in secrets if secret in page.text]
    assert 'name="shown"' not in page.text
    assert client.post("/save", {"file": "url", "shown": ""}).notices == [NEWEST]
    assert files(folder) == {}


def test_rest_of_a_file_stays_byte_for_byte(client: Client, folder: Path) -> None:
    text = "version: 1  # ours\nplugins:\n  loaders:\n  - name: target-csv # theirs\n"
    (folder / "meltano.yml").write_text(text)
    page = write(client, "meltano.yml")
    assert (folder / "meltano.yml").read_text().startswith(text.removesuffix("\n"))
    assert "meltano run tap-dynamics365 target-csv" in page.text


def test_file_that_changed_since_the_diff_stays_and_the_new_diff_is_shown(
    client: Client, folder: Path
) -> None:
    form = form_of(client.get("/save?file=config.json"))
    (folder / "config.json").write_text('{"mine": 1}')
    page = client.post("/save", form)
    (notice,) = page.notices
    assert notice.endswith("config.json has changed in the meantime: start again.")
    assert files(folder) == {"config.json": '{"mine": 1}'}
    assert '-{"mine": "•••• (set)"}' in diff(page)
    client.post("/save", form_of(page))
    assert json.loads((folder / "config.json").read_text())["mine"] == 1


def test_settings_that_changed_since_the_diff_are_not_written(
    client: Client, folder: Path, own_sandbox: Sandbox
) -> None:
    form = form_of(client.get("/save?file=config.json"))
    fields = {"service_url": own_sandbox.service_url, "way": "person", "fetch_size": "78"}
    client.post("/connect", fields)
    page = client.post("/save", form)
    assert page.notices == [NEWEST]
    assert files(folder) == {}
    assert '"fetch_size": 78' in diff(page)
    client.post("/connect", {**fields, "fetch_size": "77"})


def test_form_that_was_tampered_with_writes_nothing(client: Client, folder: Path) -> None:
    form = form_of(client.get("/save?file=config.json"))
    outside = folder.parent / "outside.json"
    before = {path: path.read_bytes() for path in folder.parent.iterdir() if path.is_file()}
    for changed in (
        {"shown": form["shown"] + "x"},
        {"shown": ""},
        {"file": "../outside.json"},
        {"file": str(outside)},
        {"file": ".env"},
        {"file": "catalog.json"},
    ):
        # Each refusal uses the diff up.
        fresh = form_of(client.get("/save?file=config.json"))
        page = client.post("/save", {**fresh, **changed})
        assert page.notices[0] == NEWEST, changed
        assert files(folder) == {}
    assert not outside.exists()
    assert {path: path.read_bytes() for path in before} == before


def test_form_writes_once(client: Client, folder: Path) -> None:
    form = form_of(client.get("/save?file=config.json"))
    client.post("/save", form)
    (folder / "config.json").unlink()
    assert client.post("/save", form).notices == [NEWEST]
    assert files(folder) == {}


@pytest.mark.parametrize(
    "name", ["../config.json", "/etc/passwd", "a/config.json", "other.yml", ""]
)
def test_path_that_is_none_of_the_files_is_refused(client: Client, name: str) -> None:
    page = client.get(f"/save?file={name}")
    (notice,) = page.notices
    assert notice == f"The page does not write {name}: choose one of the files in the list."
    assert 'name="shown"' not in page.text


def test_form_without_the_token_of_the_page_writes_nothing(client: Client, folder: Path) -> None:
    form = form_of(client.get("/save?file=config.json"))
    for own in ([], [("csrf", "invented")]):
        answer = client.send("POST", "/save", [*own, *form.items()])
        assert answer.status == 403
    elsewhere = {"Origin": "http://localhost:1", "Sec-Fetch-Site": "cross-site"}
    own = [("csrf", client.csrf), *form.items()]
    assert client.send("POST", "/save", own, elsewhere).status == 403
    assert files(folder) == {}


@pytest.mark.parametrize("name", ["config.json", ".env", "meltano.yml", "catalog.json"])
def test_symbolic_link_is_not_followed(client: Client, folder: Path, name: str) -> None:
    target = folder.parent / "target"
    target.write_text("")
    (folder / name).symlink_to(target)
    page = client.get(f"/save?file={name}")
    (notice,) = page.notices
    assert notice.endswith("name the file that it leads to, or remove the link.")
    assert 'name="shown"' not in page.text
    # A link that comes after the diff is not followed either.
    (folder / name).unlink()
    form = form_of(client.get(f"/save?file={name}"))
    (folder / name).symlink_to(target)
    page = client.post("/save", form)
    assert "is a symbolic link" in page.notices[0]
    assert target.read_text() == ""


def test_secret_goes_into_a_file_only_if_git_ignores_it(client: Client, folder: Path) -> None:
    subprocess.run(["git", "init", "-q", str(folder)], check=True)  # noqa: S603, S607 - of the test
    for name in ("meltano.yml", ".env", "config.json"):
        page = client.get(f"/save?file={name}")
        (notice,) = page.notices
        assert "would have a secret, and git does not ignore it: add " in notice
        assert 'name="shown"' not in page.text
        # What would change is still shown.
        assert "•••• (set)" in diff(page)
    assert files(folder) == {}
    (folder / ".gitignore").write_text(".env\n")
    form = form_of(client.get("/save"))
    # One that is not ignored any more is not written.
    (folder / ".gitignore").write_text("")
    assert "git does not ignore it" in client.post("/save", form).notices[0]
    assert files(folder).keys() == {".gitignore"}
    (folder / ".gitignore").write_text(".env\n")
    write(client, "meltano.yml")
    assert files(folder).keys() == {".gitignore", ".env", "meltano.yml"}


def test_token_store_that_git_does_not_ignore_is_a_warning(
    client: Client, folder: Path, own_sandbox: Sandbox
) -> None:
    subprocess.run(["git", "init", "-q", str(folder)], check=True)  # noqa: S603, S607 - of the test
    (folder / ".gitignore").write_text(".env\nconfig.json\n")
    form = {"way": "person", "service_url": own_sandbox.service_url}
    client.post("/connect", {**form, "token_store": "sub/token.json"})
    for name in ("meltano.yml", ".env", "config.json"):
        warning = client.get(f"/save?file={name}").notices[0]
        assert warning.startswith(f"Setting token_store: {folder / 'sub/token.json'} would have a ")
        assert "git does not ignore it: add sub/token.json to " in warning
    (folder / ".gitignore").write_text(".env\nconfig.json\ntoken.json\n")
    assert "token_store: " not in "".join(client.get("/save").notices)
    (folder / ".gitignore").write_text(".env\nconfig.json\n")
    client.post("/connect", {**form, "token_store": str(folder.parent / "token.json")})
    assert "token_store: " not in "".join(client.get("/save").notices)
    client.post("/connect", {**form, "token_store": ""})


def test_markup_in_a_file_is_shown_as_text(client: Client, folder: Path) -> None:
    (folder / "config.json").write_text('{"fetch_size": "<script>alert(1)</script>"}')
    page = client.get("/save?file=config.json")
    assert "<script>alert" not in page.text
    assert "<script>alert" in diff(page)


OWN = """\
plugins:
  extractors:
  - name: tap-dynamics365
    config:
      fetch_size: 78
      scope: invented
    select:
    - account.name
    - team.*
    metadata:
      te*:
        replication-method: FULL_TABLE
"""


def test_project_begins_with_what_its_files_have(tmp_path: Path, own_sandbox: Sandbox) -> None:
    (tmp_path / "meltano.yml").write_text(OWN)
    environment = variables(own_sandbox.settings)
    given = ("configure", "--project", str(tmp_path))
    with running(tmp_path, *given, command=COMMAND, environment=environment) as program:
        client = client_of(program)
        client.open()
        # The rules of the file stay until the page has read the tables.
        assert "The choice of tables stays as it is" in client.get("/save").text
        page = client.get("/tables?which=chosen")
        assert ">account.name\nteam.*</textarea>" in page.text
        fields = {"service_url": own_sandbox.service_url, "way": "person", "fetch_size": "78"}
        assert 'value="invented"' in client.get("/connect").text
        client.post("/connect", {**fields, "scope": ""})
        replication = client.get("/table/replication?name=team").text
        assert re.search('value="FULL_TABLE"[^>]* checked', replication), replication
        # A setting that changes does not change the choice.
        assert ">account.name\nteam.*</textarea>" in client.get("/tables").text
        page = client.get("/save")
        assert "-      scope: invented" in diff(page)
        changed = re.sub("(?m)^[^+-].*", "", diff(page))
        for same in ("fetch_size", "account.name", "te*", "team"):
            assert same not in changed
        client.post("/table/replication", {"name": "team", "method": "LOG_BASED", "key": ""})
        page = client.get("/save")
        assert "+      team:\n+        replication-method: LOG_BASED" in diff(page)
        client.post("/save", form_of(page))
    written = yaml.safe_load((tmp_path / "meltano.yml").read_text())
    (block,) = written["plugins"]["extractors"]
    assert "scope" not in block["config"]
    assert block["select"] == ["account.name", "team.*"]


def test_members_of_other_programs_stay_in_their_file(tmp_path: Path, own_sandbox: Sandbox) -> None:
    settings = {
        "connection_url": f"jdbc:datadirect:dynamics365:ServiceURL={own_sandbox.service_url};",
        "mine": "invented",
        "stream_maps": {"team": {"name": None}},
        "client_id": "invented-id",
    }
    with configuring(tmp_path, settings) as program:
        client = client_of(program)
        client.open()
        client.post("/connect", {"way": "secret", "service_url": own_sandbox.service_url})
        write(client, "config.json")
        for name in ("meltano.yml", ".env"):
            assert "mine" not in diff(client.get(f"/save?file={name}")).lower()
    # The properties take the place of the URL.
    assert json.loads((tmp_path / "config.json").read_text()) == {
        "mine": "invented",
        "stream_maps": {"team": {"name": None}},
        "service_url": own_sandbox.service_url,
        "client_id": "invented-id",
    }


def test_meltano_yml_that_is_not_valid_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "meltano.yml").write_text("a: [")
    given = ("configure", "--project", str(tmp_path))
    with running(tmp_path, *given, command=COMMAND) as program:
        assert program.end() == 1
    assert "The file meltano.yml is not valid YAML" in program.shown


def test_choice_that_the_settings_contradict_is_a_warning(
    tmp_path: Path, own_sandbox: Sandbox
) -> None:
    settings = {**own_sandbox.settings, "tables": ["team", "le*"]}
    with configuring(tmp_path, settings) as program:
        client = client_of(program)
        client.open()
        client.get("/tables")
        assert client.get("/save").notices == []
        client.post("/tables/rules", {"rules": "team.*\nlead.*\naccount.*"})
        (notice,) = client.get("/save").notices
        assert notice.startswith("The setting tables leaves out tables that are chosen: account. ")
        client.post("/table/replication", {"name": "account", "method": "FULL_TABLE", "key": ""})
        catalog = client.get("/save?file=catalog.json")
        assert catalog.notices == [notice]
        assert "tap_stream_id" in diff(catalog)
        client.post("/connect", {"way": "token", "service_url": own_sandbox.service_url})
        (notice, *_) = client.get("/save?file=.env").notices
        assert notice.startswith("These settings do not work yet: ")
