"""Change of a file: no secret is shown, and none gets into a file that others may see."""

from __future__ import annotations

import os
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from tap_dynamics365.config_files import change, config_json, env_file
from tap_dynamics365.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

SECRET = {"client_id": "app", "client_secret": "invented-secret"}


def git(folder: Path, *arguments: str) -> None:
    """Run git, without the settings of the machine."""
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(  # noqa: S603
        ["git", "-C", str(folder), *arguments],  # noqa: S607
        env={**os.environ, **own},
        check=True,
        capture_output=True,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The folder of a project in a git work tree that ignores only `.env`."""
    folder = tmp_path / "repository" / "project"
    folder.mkdir(parents=True)
    git(tmp_path / "repository", "init")
    (folder / ".gitignore").write_text(".env\n")
    return folder


def test_file_with_secrets_that_git_ignores_is_for_its_owner_alone(project: Path) -> None:
    path = project / ".env"
    path.write_text("OTHER=1\n")
    path.chmod(0o644)
    planned = env_file.plan(path, SECRET)
    assert planned.has_secrets
    assert path.read_text() == "OTHER=1\n"
    change.write(project, [planned])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "CLIENT_SECRET=invented-secret\n" in path.read_text()


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        ([], "git does not ignore it: add project/config.json to "),
        (["add", "--force", "project/config.json"], "git tracks it: run git rm --cached "),
    ],
)
def test_secret_is_refused_for_a_file_that_git_sees(
    project: Path, prepare: list[str], reason: str
) -> None:
    path = project / "config.json"
    path.write_text("{}")
    if prepare:
        (project / ".gitignore").write_text("config.json\n")
        git(project.parent, *prepare)
    planned = config_json.plan(path, SECRET)
    with pytest.raises(InputError, match="would have a secret, and ") as caught:
        change.write(project, [planned])
    assert reason in caught.value.message
    assert "invented" not in caught.value.message
    assert path.read_text() == "{}"
    change.write(project, [config_json.plan(path, {"client_id": "app"})])
    assert path.read_text() == '{\n  "client_id": "app"\n}'


def test_secret_is_refused_where_git_can_not_tell(project: Path) -> None:
    (project.parent / ".git" / "HEAD").unlink()
    with pytest.raises(InputError, match="git can't tell whether it ignores it"):
        change.write(project, [env_file.plan(project / ".env", SECRET)])


def test_secret_is_written_where_there_is_no_git(tmp_path: Path) -> None:
    change.write(tmp_path, [config_json.plan(tmp_path / "config.json", SECRET)])
    assert stat.S_IMODE((tmp_path / "config.json").stat().st_mode) == 0o600


def test_file_without_secrets_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "config.json").chmod(0o640)
    change.write(tmp_path, [config_json.plan(tmp_path / "config.json", {"client_id": "app"})])
    assert stat.S_IMODE((tmp_path / "config.json").stat().st_mode) == 0o640
    change.write(tmp_path, [config_json.plan(tmp_path / "new.json", {"client_id": "app"})])
    assert stat.S_IMODE((tmp_path / "new.json").stat().st_mode) == 0o644


def test_file_that_one_change_refuses_leaves_all_files(project: Path) -> None:
    changes = [
        config_json.plan(project / "a.json", {"client_id": "app"}),
        config_json.plan(project / "b.json", SECRET),
    ]
    with pytest.raises(InputError):
        change.write(project, changes)
    assert not (project / "a.json").exists()


@pytest.mark.parametrize("name", ["../config.json", "/tmp/config.json", ".", "a/../../b"])  # noqa: S108
def test_path_outside_of_the_project_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="is not in the project folder"):
        change.place(tmp_path, name)
    outside = config_json.plan(tmp_path / name / "config.json", {"client_id": "app"})
    with pytest.raises(InputError, match="is not in the project folder"):
        change.write(tmp_path / "project", [outside])


@pytest.mark.parametrize("is_folder", [False, True])
def test_symbolic_link_is_refused(tmp_path: Path, is_folder: bool) -> None:  # noqa: FBT001
    project, outside = tmp_path / "project", tmp_path / "outside"
    project.mkdir()
    outside.mkdir()
    (outside / "config.json").write_text("{}")
    if is_folder:
        (project / "sub").symlink_to(outside)
        name = "sub/config.json"
    else:
        (project / "config.json").symlink_to(outside / "config.json")
        name = "config.json"
    with pytest.raises(InputError, match="is a symbolic link"):
        change.place(project, name)
    with pytest.raises(InputError, match="is a symbolic link"):
        change.write(project, [config_json.plan(project / name, {"client_id": "app"})])
    assert (outside / "config.json").read_text() == "{}"


def test_file_that_changed_in_the_meantime_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    planned = config_json.plan(path, {"client_id": "app"})
    path.write_text('{"client_id": "other"}')
    with pytest.raises(InputError, match="has changed in the meantime"):
        change.write(tmp_path, [planned])
    assert path.read_text() == '{"client_id": "other"}'


def test_diff_shows_that_a_secret_changes_and_not_the_secret(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# TAP_DYNAMICS365_PASSWORD=hidden-0\nUSER=hidden-1\nTAP_DYNAMICS365_USER=ada\n"
        "TAP_DYNAMICS365_PASSWORD='hidden-2'\n"
    )
    planned = env_file.plan(tmp_path / ".env", {"password": "hidden-3", "user": "bob"})
    assert change.diff(planned) == [
        "--- .env",
        "+++ .env",
        "@@ -1,4 +1,4 @@",
        " # TAP_DYNAMICS365_PASSWORD=•••• (set)",
        " USER=•••• (set)",
        "-TAP_DYNAMICS365_USER=ada",
        "-TAP_DYNAMICS365_PASSWORD=•••• (set)",
        "+TAP_DYNAMICS365_USER=bob",
        "+TAP_DYNAMICS365_PASSWORD=•••• (set)",
    ]
    assert "hidden" not in repr(planned)


def test_diff_of_a_json_file_shows_no_secret_and_no_unknown_value(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"client_secret": "hidden", "clientsecret": {"a": "hidden"}}', "utf-16")
    planned = config_json.plan(path, {"client_id": "app"})
    assert change.diff(planned)[-2:] == [
        '-{"client_secret": "•••• (set)", "clientsecret": "•••• (set)"}',
        '+{"client_secret": "•••• (set)", "clientsecret": "•••• (set)","client_id": "app"}',
    ]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("config.json", b"[]", "is not a JSON object"),
        (".env", b"A=\xff", "is not encoded in UTF-8"),
    ],
)
def test_file_of_another_form_is_refused(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    plan = config_json.plan if name == "config.json" else env_file.plan
    with pytest.raises(InputError, match=reason):
        plan(tmp_path / name, {"client_id": "app"})


def test_values_keep_their_types_in_each_file(tmp_path: Path) -> None:
    values = {
        "tables": ["a", "b c"],
        "filters": {"a": "name eq 'x'"},
        "cross_company": False,
        "fetch_size": 7,
        "user": "ada #1",
    }
    for plan, load in ((config_json.plan, config_json.load), (env_file.plan, env_file.load)):
        planned = plan(tmp_path / "new", {**values, "ws_timeout": 300, "password": ""})
        # Defaults and empty settings need no line.
        assert load(planned.after.decode()) == (values, [])
        change.write(tmp_path, [planned])
        assert not plan(tmp_path / "new", values).is_change
        removed = plan(tmp_path / "new", {**dict.fromkeys(values), "fetch_size": 8})
        assert load(removed.after.decode()) == ({"fetch_size": 8}, [])
        (tmp_path / "new").unlink()


def test_values_that_are_no_settings_are_named_without_the_value() -> None:
    found = env_file.load("TAP_DYNAMICS365_FETCH_SIZE=hidden\nTAP_DYNAMICS365_X=hidden\nPATH=1\n")
    assert found == (
        {},
        ["fetch_size must be of the type integer.", "x is not a setting of the tap."],
    )
    assert config_json.load('{"user": 5, "tables": null}') == (
        {},
        ["user must be of the type string."],
    )


def test_text_that_is_no_configuration_is_refused() -> None:
    with pytest.raises(InputError, match="is not a JSON object"):
        config_json.load("[]")


def test_value_that_a_variable_file_can_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"password has \$\{, which means a variable"):
        env_file.plan(tmp_path / ".env", {"password": "a${b}c"})
