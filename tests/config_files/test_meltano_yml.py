"""File meltano.yml: what Meltano makes of it, and what of it stays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tap_dynamics365.config_files import change, env_file, meltano_yml, plugin
from tap_dynamics365.config_files.replication import Replication
from tap_dynamics365.config_files.yaml_text import rewrite
from tap_dynamics365.errors import InputError
from tests.commands.program import dynamics365
from tools.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sandbox.client import Sandbox
    from tools.meltano import Project

OWN = (REPOSITORY / "meltano.yml").read_text(encoding="utf-8")
# As `meltano init` and `meltano add` write it.
ADDED = """\
default_environment: dev
environments:
- name: dev
- name: prod
plugins:
  extractors:
  - name: tap-dynamics365
    variant: invented
    pip_url: tap-dynamics365
  loaders:
  - name: target-postgres
    config:
      password: hidden
"""
OF_DEV = """\
- name: dev
  config:
    plugins:
      extractors:
      - name: tap-dynamics365
        config: {fetch_size: 5}
        select: [team.*]
        metadata:
          team:
            replication-method: FULL_TABLE
"""
SETTINGS = {"service_url": "https://invented.crm.dynamics.com", "client_secret": "invented-secret"}


def written(project: Path, *given: Any) -> dict[str, str]:
    """Write into a project; return the new content of each file."""
    changes = meltano_yml.plan(project, *given)
    change.write(project, changes)
    return {each.path.name: each.after.decode() for each in changes}


def extractor(text: str) -> dict[str, Any]:
    """The block of the tap."""
    blocks: dict[str, Any] = yaml.safe_load(text)["plugins"]
    return next(each for each in blocks["extractors"] if each["name"] == "tap-dynamics365")


def test_settings_selection_and_replication_are_added_and_the_rest_stays(tmp_path: Path) -> None:
    (tmp_path / "meltano.yml").write_text(ADDED)
    rules = ["account.*", "!account.fax"]
    chosen = {
        "account": Replication("INCREMENTAL", "versionnumber"),
        "team": Replication("LOG_BASED"),
    }
    files = written(tmp_path, SETTINGS, rules, chosen)
    added = """\
    config:
      service_url: https://invented.crm.dynamics.com
    select:
    - account.*
    - "!account.fax"
    metadata:
      account:
        replication-method: INCREMENTAL
        replication-key: versionnumber
      team:
        replication-method: LOG_BASED
"""
    assert files["meltano.yml"].replace(added, "") == ADDED
    assert files[".env"] == "TAP_DYNAMICS365_CLIENT_SECRET=invented-secret\n"
    found = meltano_yml.load(files["meltano.yml"])
    assert found.settings == {"service_url": SETTINGS["service_url"]}
    assert found.rules == rules
    assert found.metadata["account"]["replication-key"] == "versionnumber"
    # The key that discovery finds, instead of the one before; and no settings any more.
    none = dict.fromkeys(SETTINGS)
    files = written(tmp_path, none, ["team.*"], {"account": Replication("INCREMENTAL")})
    assert extractor(files["meltano.yml"])["metadata"]["account"] == {
        "replication-method": "INCREMENTAL"
    }
    assert "config" not in extractor(files["meltano.yml"])
    assert files[".env"] == ""


def test_second_write_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "meltano.yml").write_text(OWN)
    given = (
        {**SETTINGS, "fetch_size": 5000, "tables": ["a*"]},
        ["a.*"],
        {"a": Replication("FULL_TABLE")},
    )
    files = written(tmp_path, *given)
    assert "config" in extractor(files["meltano.yml"])
    # The default needs no line.
    assert extractor(files["meltano.yml"])["config"].keys() == {"service_url", "tables"}
    assert not [each for each in meltano_yml.plan(tmp_path, *given) if each.is_change]


def test_setting_of_the_env_file_changes_there_because_it_takes_precedence(tmp_path: Path) -> None:
    (tmp_path / "meltano.yml").write_text(ADDED)
    (tmp_path / ".env").write_text("TAP_DYNAMICS365_SERVICE_URL=https://old.crm.dynamics.com\n")
    files = written(tmp_path, SETTINGS)
    assert files["meltano.yml"] == ADDED
    assert env_file.load(files[".env"]).settings == SETTINGS


def test_values_of_the_default_environment_change_there_because_they_take_precedence(
    tmp_path: Path,
) -> None:
    text = ADDED.replace("- name: dev\n", OF_DEV)
    (tmp_path / "meltano.yml").write_text(text)
    files = written(
        tmp_path,
        {"fetch_size": 6, "ws_timeout": 7},
        ["account.*"],
        {"account": Replication("FULL_TABLE")},
    )
    changed = files["meltano.yml"]
    assert extractor(changed)["config"] == {"ws_timeout": 7}
    (of_dev,) = yaml.safe_load(changed)["environments"][0]["config"]["plugins"]["extractors"]
    assert (of_dev["config"], of_dev["select"]) == ({"fetch_size": 6}, ["account.*"])
    assert of_dev["metadata"].keys() == {"account", "team"}
    assert meltano_yml.load(changed).settings == {"fetch_size": 6, "ws_timeout": 7}
    assert meltano_yml.load(changed).rules == ["account.*"]


def test_diff_shows_no_secret_of_any_program(tmp_path: Path) -> None:
    own = "    config: {client_secret: hidden, user: ada}\n"
    others = "  loaders: [{config: {url: 'db://ada:hidden@invented', api_key: hidden}}]\n"
    text = ADDED.partition("  loaders:")[0] + own + others
    (tmp_path / "meltano.yml").write_text(text)
    changes = meltano_yml.plan(tmp_path, SETTINGS, ["a.*"])
    shown = "\n".join(line for each in changes for line in change.diff(each))
    assert "hidden" not in shown
    assert "invented-secret" not in shown
    for line in (
        "-    config: {client_secret: •••• (set), user: ada}",
        "+      client_secret: •••• (set)",
        "+    - a.*",
        "+TAP_DYNAMICS365_CLIENT_SECRET=•••• (set)",
        "   loaders: [{config: {url: •••• (set), api_key: •••• (set)}}]",
    ):
        assert line in shown


def test_setting_that_is_removed_is_in_no_file_any_more(tmp_path: Path) -> None:
    (tmp_path / "meltano.yml").write_text(ADDED)
    written(tmp_path, {"user": "ada", "ws_timeout": 7})
    (tmp_path / ".env").write_text("TAP_DYNAMICS365_USER=bob\n")
    files = written(tmp_path, {"user": None})
    assert files[".env"] == ""
    assert extractor(files["meltano.yml"])["config"] == {"ws_timeout": 7}


def test_replication_in_the_short_form_of_meltano_is_replaced(tmp_path: Path) -> None:
    short = "    metadata:\n      account.replication-method: FULL_TABLE\n  loaders:\n"
    (tmp_path / "meltano.yml").write_text(ADDED.replace("  loaders:\n", short))
    files = written(tmp_path, {}, None, {"account": Replication("LOG_BASED")})
    assert extractor(files["meltano.yml"])["metadata"] == {
        "account": {"replication-method": "LOG_BASED"}
    }


def test_link_to_a_file_of_variables_is_read_and_not_written(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "shared").write_text("TAP_DYNAMICS365_USER=bob\n")
    (project / ".env").symlink_to(tmp_path / "shared")
    assert written(project, {"ws_timeout": 7}, ["a.*"]).keys() == {"meltano.yml"}
    with pytest.raises(InputError, match="is a symbolic link"):
        meltano_yml.plan(project, {"user": "ada"})


def test_values_that_refer_to_variables_are_named_and_those_that_look_so_are_kept(
    tmp_path: Path,
) -> None:
    (tmp_path / "meltano.yml").write_text(ADDED)
    values = {"user": "a$HOMEb\\$HOME $5", "filters": {"account": "name eq '${x}'"}}
    files = written(tmp_path, values)
    assert meltano_yml.load(files["meltano.yml"]).settings == values
    text = files["meltano.yml"].replace("    config:\n", "    config:\n      scope: p$HOME\n", 1)
    found = meltano_yml.load(text)
    assert (found.settings, found.ignored) == (
        values,
        ["scope refers to a variable, such as $NAME."],
    )


def test_date_without_quotes_is_read_as_text() -> None:
    text = ADDED.replace("    pip_url", "    config: {start_date: 2026-01-01, x: 1}\n    pip_url")
    found = meltano_yml.load(text)
    assert found.settings == {"start_date": "2026-01-01"}
    assert found.ignored == ["x is not a setting of the tap."]
    assert found.rules is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", "meltano.yml is not valid YAML"),
        ("- a", "meltano.yml is not a mapping"),
        ("plugins: [a]", "meltano.yml does not have the form of Meltano"),
        ("environments: [a]\nplugins: {extractors: [{name: tap-dynamics365}]}", "does not have"),
        ("plugins: {extractors: &x [{name: tap-dynamics365}]}\ny: *x", "has a form that can't be"),
    ],
)
def test_file_of_another_form_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "meltano.yml").write_text(text)
    with pytest.raises(InputError, match=reason):
        meltano_yml.plan(tmp_path, SETTINGS, ["a.*"])
    assert (tmp_path / "meltano.yml").read_text() == text


def test_new_definition_is_that_of_the_repository() -> None:
    block = extractor(OWN)
    new = plugin.definition({})
    kinds = {"options": "string", "date_iso8601": "string"}
    assert new["settings"] == [
        {
            "name": setting["name"],
            "kind": kinds.get(setting["kind"], setting["kind"]),
            **({"sensitive": True} if setting.get("sensitive") else {}),
        }
        for setting in block["settings"]
    ]
    for key in ("name", "namespace", "executable", "use_cached_catalog", "capabilities"):
        assert new[key] == block[key]
    assert new["commands"].keys() == block["commands"].keys()
    for name in new["commands"].keys() - {"login"}:
        assert new["commands"][name]["args"] == block["commands"][name]["args"]


@pytest.mark.parametrize(
    ("settings", "extras"),
    [
        ({"azure_credential": "default"}, "[azure]"),
        ({"client_certificate": "x"}, "[certificate]"),
        ({"authentication_method": "Ntlm"}, "[ntlm]"),
        ({"authentication_method": "Basic"}, ""),
    ],
)
def test_new_definition_has_the_extra_that_the_sign_in_needs(
    settings: Mapping[str, str], extras: str
) -> None:
    # The tests run with an editable installation.
    assert plugin.definition(settings)["pip_url"] == f"-e {REPOSITORY}{extras}"


def test_meltano_sees_what_is_written(
    sandbox: Sandbox, meltano: Callable[[dict[str, str]], Project]
) -> None:
    project = meltano({})
    values = {
        **sandbox.settings,
        "filters": {"account": "name ne '$HOME'"},
        "tables": ["account", "team"],
        "fetch_size": 77,
        "user": "ada 'é' \\${HOME} #1",
    }
    rules = ["account.*", "!account.address*", "!account.fax"]
    written(project.folder, values, rules, {"account": Replication("INCREMENTAL", "versionnumber")})
    printed = project.run("config", "print", "tap-dynamics365").output
    config, _ = json.JSONDecoder().raw_decode(printed[printed.index("{\n") :])
    # It prints no secret.
    secrets = {"client_secret": "*****", "refresh_token": "*****"}
    assert {name: config[name] for name in values} == {**values, **secrets}
    listed = project.run("select", "tap-dynamics365", "--list").output
    selected = [line.split()[-1] for line in listed.splitlines() if "[selected" in line]
    assert "account.revenue" in selected
    assert not [name for name in selected if ".address" in name or not name.startswith("account.")]
    dumped = project.run("invoke", "--dump=catalog", "tap-dynamics365").output
    catalog, _ = json.JSONDecoder().raw_decode(dumped[dumped.index("{\n") :])
    entry = next(each for each in catalog["streams"] if each["tap_stream_id"] == "account")
    own = next(each["metadata"] for each in entry["metadata"] if not each["breadcrumb"])
    assert own["replication-key"] == "versionnumber"


def test_project_that_the_command_makes_runs_in_meltano(
    sandbox: Sandbox, meltano: Callable[[dict[str, str]], Project]
) -> None:
    project = meltano({})
    path = project.folder / "meltano.yml"
    path.unlink()
    arguments = ("meltano.yml", "--select", "team.name", "--replication", "team=full_table")
    output = dynamics365("write", sandbox.settings, *arguments, "--yes", folder=project.folder)
    assert output.status == 0, output.log
    assert sandbox.settings["client_secret"] not in path.read_text() + output.printed + output.log
    document = yaml.safe_load(path.read_text())
    # Installed once for all tests.
    document["plugins"]["extractors"][0]["pip_url"] = "-e '$TAP_REPOSITORY'"
    loaders = yaml.safe_load(OWN)["plugins"]["loaders"]
    document["plugins"]["loaders"] = [each for each in loaders if each["name"] == "target-jsonl"]
    path.write_text(rewrite(path.read_text(), document))
    project.run("run", "tap-dynamics365", "target-jsonl")
    (loaded,) = (project.folder / "output").iterdir()
    rows = [json.loads(line) for line in loaded.read_text().splitlines()]
    assert len(rows) > 1
    assert {frozenset(row) for row in rows} == {frozenset({"teamid", "name", "modifiedon"})}
