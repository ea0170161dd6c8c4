"""`dynamics365 write`: shows what it would write, asks, and writes."""

from __future__ import annotations

import json
import stat
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.commands.program import FORKED, Output, dynamics365
from tests.login.program import running
from tests.tap import Tap, own_metadata
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.client import Sandbox

SETTINGS = {
    "service_url": "https://invented.crm.dynamics.com",
    "client_id": "invented-app",
    "client_secret": "invented-secret",
    "token_store": "token.json",
}
HINT = "Nothing is written: to write this, add --yes.\n"


def write(
    folder: Path, *arguments: str, settings: dict[str, Any] | None = SETTINGS, **given: Any
) -> Output:
    """Run the command in a folder."""
    return dynamics365("write", settings, *arguments, folder=folder, **given)


def test_write_without_terminal_shows_the_diff_and_writes_nothing(tmp_path: Path) -> None:
    output = write(tmp_path, ".env")
    assert (output.status, output.log) == (1, HINT)
    assert output.lines == [
        "--- /dev/null",
        "+++ .env",
        "@@ -0,0 +1,4 @@",
        "+TAP_DYNAMICS365_SERVICE_URL=https://invented.crm.dynamics.com",
        "+TAP_DYNAMICS365_CLIENT_ID=invented-app",
        "+TAP_DYNAMICS365_CLIENT_SECRET=•••• (set)",
        "+TAP_DYNAMICS365_TOKEN_STORE=token.json",
    ]
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", [".env", "config.json", "meltano.yml"])
def test_write_warns_of_a_token_store_that_git_does_not_ignore(tmp_path: Path, name: str) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)  # noqa: S603, S607 - of the test
    (tmp_path / "meltano.yml").write_text("version: 1\n")
    (tmp_path / ".gitignore").write_text(".env\nconfig.json\n")
    warning = "Setting token_store: "
    store = tmp_path / "token.json"
    output = write(tmp_path, name, "--yes")
    assert output.status == 0, output.log
    (line,) = [each for each in output.log.splitlines() if each.startswith(warning)]
    assert line == (
        f"{warning}{store} would have a secret, and git does not ignore it: add token.json to "
        f"{tmp_path / '.gitignore'}."
    )
    (tmp_path / ".gitignore").write_text(".env\nconfig.json\ntoken.json\n")
    assert warning not in write(tmp_path, name).log


@pytest.mark.parametrize("name", [".env", "config.json", "sub/config.json"])
def test_write_with_yes_writes_for_the_owner_and_a_second_time_nothing(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "sub").mkdir()
    output = write(tmp_path, name, "--yes")
    assert (output.status, output.lines[-1]) == (0, f"Written: {tmp_path / name}.")
    assert "invented-secret" not in output.printed
    assert "invented-secret" in (tmp_path / name).read_text()
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    again = write(tmp_path, name)
    assert (again.status, again.printed, again.log) == (0, "Nothing changes.\n", "")


@pytest.mark.parametrize(("answer", "status"), [("yes", 0), ("", 1), ("no", 1)])
def test_write_on_a_terminal_asks(tmp_path: Path, answer: str, status: int) -> None:
    (tmp_path / "given.json").write_text(json.dumps(SETTINGS))
    arguments = ("write", "config.json", "--config", "given.json")
    with running(tmp_path, *arguments, terminal=True, command=FORKED) as program:
        program.expect(r"Write this\? \(yes or no\) \[no\]: $")
        program.type(answer)
        assert program.end() == status
    assert (tmp_path / "config.json").exists() is (status == 0)


def test_write_of_meltano_yml_takes_settings_from_files_only(tmp_path: Path) -> None:
    (tmp_path / "meltano.yml").write_bytes((REPOSITORY / "meltano.yml").read_bytes())
    secret = {"TAP_DYNAMICS365_CLIENT_SECRET": "invented-secret"}
    arguments = (
        "meltano.yml",
        "--select",
        "account.*",
        "--replication",
        "account=log_based",
        "--yes",
    )
    output = write(tmp_path, *arguments, settings=None, environment=secret)
    assert output.status == 0, output.log
    added = [line for line in output.lines if line.startswith("+")]
    assert added == [
        "+++ meltano.yml",
        "+    select:",
        "+    - account.*",
        "+    metadata:",
        "+      account:",
        "+        replication-method: LOG_BASED",
    ]
    assert {path.name for path in tmp_path.iterdir()} == {"meltano.yml"}
    output = write(tmp_path, "meltano.yml", "--yes")
    assert output.lines[-1] == f"Written: {tmp_path / 'meltano.yml'}, {tmp_path / '.env'}."
    assert "token_store: token.json" in (tmp_path / "meltano.yml").read_text()
    assert (tmp_path / ".env").read_text() == "TAP_DYNAMICS365_CLIENT_SECRET=invented-secret\n"


def test_write_of_meltano_yml_without_its_package_says_how_to_get_it(tmp_path: Path) -> None:
    plain = str(REPOSITORY / ".venv-plain" / "bin" / "dynamics365")
    output = write(tmp_path, "meltano.yml", "--select", "a.*", program=(plain,))
    assert output.refusal().endswith(
        'pip install "tap-dynamics365[configure]". In a Meltano project, add [configure] to '
        "pip_url, and run meltano install."
    )


def test_write_of_a_catalog_selects_what_the_tap_then_reads(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    settings = {**sandbox.settings, "tables": ["team", "territory"]}
    arguments = ("catalog.json", "--select", "team.name", "--replication", "team=FULL_TABLE")
    output = write(tmp_path, *arguments, "--yes", settings=settings)
    assert output.status == 0, output.log
    assert output.lines[500].startswith("… and ")
    assert output.lines[500].endswith(" more lines of catalog.json.")
    catalog = json.loads((tmp_path / "catalog.json").read_text())
    assert own_metadata(catalog["streams"][0])["replication-method"] == "FULL_TABLE"
    run = Tap(settings).sync(catalog=catalog)
    assert run.counts.keys() == {"team"}
    assert "rule" not in output.log
    misspelt = write(tmp_path, "catalog.json", "--select", "teem.*", settings=settings)
    assert "No table or column matches the rule teem.*.\n" in misspelt.log
    again = write(tmp_path, "catalog.json", settings=settings)
    assert (again.status, again.printed) == (0, "Nothing changes.\n")


def test_url_is_printed_without_secrets_unless_they_are_wanted(tmp_path: Path) -> None:
    shown = (
        "jdbc:datadirect:dynamics365:ServiceURL=https://invented.crm.dynamics.com;"
        "ClientID=invented-app;ClientSecret=••••;"
    )
    left_out = "Not in the URL: token_store: the driver has no such property.\n"
    output = write(tmp_path, "url")
    assert (output.status, output.printed) == (1, f"{shown}\n")
    assert output.log == f"{left_out}To print it with secrets, add --yes.\n"
    output = write(tmp_path, "url", "--yes")
    whole = shown.replace("••••", "invented-secret")
    assert (output.status, output.printed, output.log) == (0, f"{whole}\n", left_out)
    public = {"client_id": "invented-app"}
    output = write(tmp_path, "url", settings=public)
    assert (output.status, output.printed) == (
        0,
        "jdbc:datadirect:dynamics365:ClientID=invented-app;\n",
    )


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (("other.json",), 2, "Write one of meltano.yml, .env, config.json, catalog.json or url."),
        (
            (".env", "--select", "a.*"),
            2,
            "Give --select and --replication with meltano.yml or catalog",
        ),
        (("../config.json",), 1, "../config.json is not in the project folder"),
        (("sub/meltano.yml",), 1, "run the command in the folder of the project"),
        (("sub/url",), 2, "Write one of meltano.yml"),
        (
            ("meltano.yml", "--replication", "account"),
            1,
            "'account' is no replication: write TABLE=",
        ),
        (
            ("meltano.yml", "--replication", "account=daily"),
            1,
            "FULL_TABLE, INCREMENTAL or LOG_BASED",
        ),
        (("meltano.yml", "--replication", "a=LOG_BASED:"), 1, "is no replication"),
    ],
)
def test_wrong_arguments_are_refused(
    tmp_path: Path, arguments: tuple[str, ...], status: int, reason: str
) -> None:
    (tmp_path / "sub").mkdir()
    output = write(tmp_path, *arguments)
    assert output.status == status
    assert reason in " ".join(output.log.split())
