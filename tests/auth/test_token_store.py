"""The token store: the newest refresh token, whatever happens."""

from __future__ import annotations

import json
import logging
import os
import resource
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tap_dynamics365.auth.token_store import StoredToken, TokenStore, authority, fingerprint
from tap_dynamics365.errors import TokenStoreError
from tests.auth.endpoint import SECRETS, TokenEndpoint, refusal, sent, signing

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURED = SECRETS["refresh_token"]
REFUSED = {"error": "invalid_grant", "error_description": "AADSTS50173: Revoked."}
NO_LOCK = "Make sure that only one run uses it"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the token store is."""
    return tmp_path / "token.json"


def stored(path: Path) -> dict[str, Any]:
    """What is in the store."""
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def newest(path: Path) -> str:
    """The token in the store."""
    return str(stored(path)["refresh_token"])


def keep(path: Path, endpoint: TokenEndpoint, refresh_token: str, **more: Any) -> None:
    """Put a token into the store, as the login command does."""
    token: dict[str, Any] = {
        "refresh_token": refresh_token,
        "client_id": "the-client",
        "authority": authority(endpoint.url),
        **more,
    }
    TokenStore(path).write(StoredToken(**token))


def run(endpoint: TokenEndpoint, path: Path, **more: str | None) -> None:
    """Sign in as a run of the tap does."""
    sent(signing(endpoint, token_store=str(path), **more))


def test_token_store_gives_each_run_the_newest_token(endpoint: TokenEndpoint, path: Path) -> None:
    endpoint.rotates("second", "third", "fourth")
    for _ in range(3):
        run(endpoint, path)
    assert endpoint.refresh_tokens == [CONFIGURED, "second", "third"]
    assert stored(path) == {
        "refresh_token": "fourth",
        "client_id": "the-client",
        "authority": authority(endpoint.url),
        "descends_from": fingerprint(CONFIGURED),
    }


def test_token_store_is_readable_by_its_owner_only_and_leaves_no_other_file(
    endpoint: TokenEndpoint, path: Path
) -> None:
    endpoint.rotates("second")
    before = os.umask(0)
    try:
        run(endpoint, path)
    finally:
        os.umask(before)
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {file.name for file in path.parent.iterdir()} <= {"token.json", "token.json.lock"}
    assert CONFIGURED not in path.read_text()


def test_token_store_in_a_missing_folder_creates_the_folder(
    endpoint: TokenEndpoint, path: Path
) -> None:
    endpoint.rotates("second")
    inner = path.parent / "a" / "b" / "token.json"
    run(endpoint, inner)
    assert newest(inner) == "second"


def test_token_store_behind_a_symbolic_link_keeps_the_link(
    endpoint: TokenEndpoint, path: Path, tmp_path: Path
) -> None:
    endpoint.rotates("second")
    link = tmp_path / "link.json"
    link.symlink_to(path)
    run(endpoint, link)
    assert link.is_symlink()
    assert newest(path) == "second"


def test_token_store_with_a_tilde_is_in_the_home_folder(
    endpoint: TokenEndpoint, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(path.parent))
    endpoint.rotates("second")
    sent(signing(endpoint, token_store="~/token.json"))  # noqa: S106 - a path
    assert newest(path) == "second"


def test_token_store_without_a_new_refresh_token_is_not_written(
    endpoint: TokenEndpoint, path: Path
) -> None:
    endpoint.gives("one")
    run(endpoint, path)
    assert not path.exists()


def test_token_store_is_written_before_the_access_token_is_used(
    endpoint: TokenEndpoint, path: Path
) -> None:
    endpoint.rotates("second", "third")
    auth = signing(endpoint, token_store=str(path))
    for token in ("second", "third"):
        assert sent(auth) == f"Bearer access-{token}"
        assert newest(path) == token
        auth.renew(float("inf"))


def test_refresh_token_that_is_configured_anew_takes_precedence_over_the_stored_one(
    endpoint: TokenEndpoint, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(path, endpoint, "stored", descends_from=fingerprint("an older one"))
    endpoint.rotates("second")
    with caplog.at_level(logging.INFO):
        run(endpoint, path)
    assert endpoint.refresh_tokens == [CONFIGURED]
    assert stored(path)["descends_from"] == fingerprint(CONFIGURED)
    assert "is not a successor of" in caplog.text


def test_stored_token_without_a_configured_one_is_used(endpoint: TokenEndpoint, path: Path) -> None:
    keep(path, endpoint, "stored")
    endpoint.rotates("second")
    run(endpoint, path, refresh_token=None)
    assert endpoint.refresh_tokens == ["stored"]
    assert newest(path) == "second"
    assert stored(path)["descends_from"] is None


def test_stored_token_that_is_refused_is_replaced_by_the_configured_one_once(
    endpoint: TokenEndpoint, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(path, endpoint, "stored", descends_from=fingerprint(CONFIGURED))
    endpoint.rotates("second")
    good = endpoint.answers
    endpoint.refuses(400, REFUSED)
    endpoint.answers += good
    run(endpoint, path)
    assert endpoint.refresh_tokens == ["stored", CONFIGURED]
    assert newest(path) == "second"
    assert "AADSTS50173" in caplog.text


def test_stored_and_configured_token_that_are_refused_fail_and_the_store_is_unchanged(
    endpoint: TokenEndpoint, path: Path
) -> None:
    keep(path, endpoint, "stored", descends_from=fingerprint(CONFIGURED))
    endpoint.refuses(400, REFUSED)
    assert "AADSTS50173" in refusal(signing(endpoint, token_store=str(path)))
    assert endpoint.refresh_tokens == ["stored", CONFIGURED]
    assert newest(path) == "stored"


@pytest.mark.parametrize(
    ("status", "error"), [(503, "server_error"), (400, "interaction_required"), (401, "x")]
)
def test_stored_token_is_not_replaced_after_another_error(
    endpoint: TokenEndpoint, path: Path, status: int, error: str
) -> None:
    keep(path, endpoint, "stored", descends_from=fingerprint(CONFIGURED))
    endpoint.refuses(status, {"error": error})
    refusal(signing(endpoint, token_store=str(path)))
    assert endpoint.refresh_tokens == ["stored"]


@pytest.mark.parametrize(
    "other", [{"client_id": "another"}, {"authority": "https://login.invented.example"}]
)
def test_stored_token_of_another_app_or_host_is_not_sent(
    endpoint: TokenEndpoint,
    path: Path,
    caplog: pytest.LogCaptureFixture,
    other: dict[str, str],
) -> None:
    keep(path, endpoint, "stored", **other)
    message = refusal(signing(endpoint, token_store=str(path), refresh_token=None))
    assert "tap-dynamics365-login" in message
    assert endpoint.forms == []
    endpoint.rotates("second")
    run(endpoint, path)
    assert endpoint.refresh_tokens == [CONFIGURED]
    assert "another app" in caplog.text


def test_client_id_of_the_stored_token_is_case_insensitive(
    endpoint: TokenEndpoint, path: Path
) -> None:
    keep(path, endpoint, "stored", client_id="THE-client")
    endpoint.rotates("second")
    run(endpoint, path, refresh_token=None)
    assert endpoint.refresh_tokens == ["stored"]


# What the tap wrote, or another version of it, and something spoilt.
DAMAGED = {
    "cut behind the first character": "{",
    "cut in the first name": '{\n  "refresh_to',
    "cut in the token": '{\n  "refresh_token": "x',
    "a token that is a number": '{"refresh_token": 5, "client_id": "the-client", "authority": "x"}',
    "no token": '{"refresh_token": "", "client_id": "the-client", "authority": "x"}',
    "an origin that is a number": (
        '{"refresh_token": "x", "client_id": "the-client", "authority": "x", "descends_from": 1}'
    ),
    "another field": (
        '{"refresh_token": "x", "client_id": "the-client", "authority": "x", "more": 1}'
    ),
    "something behind it": (
        '{"refresh_token": "x", "client_id": "the-client", "authority": "x"}\n{"refr'
    ),
}
# What somebody else may have written. Of `[]` and `{}` too, nothing says that it is the tap's:
# the tap replaces its file whole, so that an accident does not leave these.
FOREIGN = {
    "notes": "my own notes",
    "an empty list": "[]",
    "an empty object": "{}",
    "null": "null",
    "settings of the tap": '{"client_id": "the-client", "refresh_token": "x"}',
    "a token file of another program": '{"refresh_token": "x", "access_token": "y"}',
    "deep": "[" * 100_000,
    "no text": "\udcff",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_token_store_that_is_damaged_is_reported_and_replaced(
    endpoint: TokenEndpoint, path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    path.write_text(content)
    endpoint.rotates("second", "third")
    message = refusal(signing(endpoint, token_store=str(path), refresh_token=None))
    assert "damaged" in message
    run(endpoint, path)
    assert endpoint.refresh_tokens == [CONFIGURED]
    assert "damaged" in caplog.text
    assert newest(path) == "second"


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN.keys())
def test_token_store_that_names_a_foreign_file_is_refused_before_sign_in(
    endpoint: TokenEndpoint, path: Path, content: str
) -> None:
    written = content.encode(errors="surrogateescape")
    path.write_bytes(written)
    endpoint.rotates("second")
    for more in ({}, {"refresh_token": None}):
        with pytest.raises(TokenStoreError) as caught:
            run(endpoint, path, **more)
        assert f"token_store {path} contains something other" in caught.value.message
        assert caught.value.message.endswith("Set token_store to another file.")
    assert endpoint.forms == []
    with pytest.raises(TokenStoreError):
        keep(path, endpoint, "new")
    assert path.read_bytes() == written


def test_token_store_whose_lock_is_a_foreign_file_is_refused_before_sign_in(
    endpoint: TokenEndpoint, path: Path
) -> None:
    lock = path.with_name("token.json.lock")
    lock.write_text("pinned versions")
    endpoint.rotates("second")
    with pytest.raises(TokenStoreError, match="Set token_store to another file"):
        run(endpoint, path)
    assert endpoint.forms == []
    assert lock.read_text() == "pinned versions"


def test_token_store_that_is_empty_counts_as_missing(
    endpoint: TokenEndpoint, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.touch()
    endpoint.rotates("second")
    run(endpoint, path)
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
    path.write_text("\n")
    assert "no refresh token" in refusal(
        signing(endpoint, token_store=str(path), refresh_token=None)
    )


def test_token_store_that_can_not_be_written_is_reported_once_and_the_run_continues(
    endpoint: TokenEndpoint, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # A folder in its place: neither root nor anyone else can put a file there.
    path.mkdir()
    (path / "something").touch()
    endpoint.rotates("second", "third", "fourth")
    auth = signing(endpoint, token_store=str(path))
    for _ in range(3):
        sent(auth)
        auth.renew(float("inf"))
    assert endpoint.refresh_tokens == [CONFIGURED, "second", "third"]
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len([w for w in warnings if "written" in w]) == 1
    assert str(path) in caplog.text
    assert not [file for file in path.parent.iterdir() if file.name.startswith(".token")]


@pytest.mark.parametrize("kind", ["device", "pipe"])
def test_token_store_that_is_not_a_regular_file_is_reported_and_not_written(
    endpoint: TokenEndpoint, path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """A device gives bytes for ever, a pipe none until somebody writes."""
    if kind == "device":
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(path)
    before = path.stat()
    endpoint.rotates("second")
    run(endpoint, path)
    after = path.stat()
    assert (before.st_mode, before.st_ino) == (after.st_mode, after.st_ino)
    assert "can't be written (It is not a file)" in caplog.text
    assert os.path.realpath(path) in caplog.text


def test_token_store_on_a_full_disk_is_reported_and_the_run_continues(
    endpoint: TokenEndpoint, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(path, endpoint, "old", descends_from=fingerprint(CONFIGURED))
    endpoint.rotates("second", "third")
    auth = signing(endpoint, token_store=str(path))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # From here on, no file takes a byte.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        sent(auth)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert f"token_store {path} can't be written" in caplog.text
    assert newest(path) == "old"
    # There is room again.
    auth.renew(float("inf"))
    sent(auth)
    assert endpoint.refresh_tokens == ["old", "second"]
    assert newest(path) == "third"


def test_token_store_below_a_file_is_reported_and_the_run_continues(
    endpoint: TokenEndpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    endpoint.rotates("second")
    run(endpoint, tmp_path / "file" / "token.json")
    assert endpoint.refresh_tokens == [CONFIGURED]
    assert NO_LOCK in caplog.text


def test_token_store_after_a_failed_write_keeps_the_old_token(
    path: Path, endpoint: TokenEndpoint
) -> None:
    keep(path, endpoint, "old")
    with pytest.raises(TokenStoreError):
        # A name that is too long for the file that it would be written to first.
        TokenStore(path.with_name("x" * 250)).write(
            StoredToken(refresh_token="new", client_id="x", authority="y")  # noqa: S106
        )
    assert newest(path) == "old"


def test_concurrent_runs_use_each_refresh_token_once(endpoint: TokenEndpoint, path: Path) -> None:
    runs = 6
    endpoint.rotates(*(f"token-{number}" for number in range(runs)))
    with ThreadPoolExecutor(runs) as pool:
        list(pool.map(lambda _: run(endpoint, path), range(runs)))
    # As if one had come after the other: nobody read what somebody else was about to use.
    assert endpoint.refresh_tokens == [CONFIGURED, *(f"token-{n}" for n in range(runs - 1))]
    assert newest(path) == f"token-{runs - 1}"
