"""Token store: keeps the newest refresh token between runs."""

from __future__ import annotations

import logging
import os
import resource
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tap_dynamics365.auth.token_store import StoredToken, TokenStore, authority, fingerprint
from tap_dynamics365.errors import TokenStoreError
from tests.auth.endpoint import (
    SECRETS,
    TokenEndpoint,
    authenticator_for,
    authorization,
    refusal,
    sign_in,
    stored,
    stored_token,
)

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURED = SECRETS["refresh_token"]
REFUSED = {"error": "invalid_grant", "error_description": "AADSTS50173: Revoked."}
NO_LOCK = "Make sure that only one run uses it"


def keep(store_path: Path, endpoint: TokenEndpoint, refresh_token: str, **more: Any) -> None:
    """Write a token to the store, as the login command does."""
    token: dict[str, Any] = {
        "refresh_token": refresh_token,
        "client_id": "the-client",
        "authority": authority(endpoint.url),
        **more,
    }
    TokenStore(store_path).write(StoredToken(**token))


def test_token_store_gives_each_run_the_newest_token(
    endpoint: TokenEndpoint, store_path: Path
) -> None:
    endpoint.rotates("second", "third", "fourth")
    for _ in range(3):
        sign_in(endpoint, store_path)
    assert endpoint.refresh_tokens == [CONFIGURED, "second", "third"]
    assert stored(store_path) == {
        "refresh_token": "fourth",
        "client_id": "the-client",
        "authority": authority(endpoint.url),
        "descends_from": fingerprint(CONFIGURED),
    }


def test_token_store_is_readable_by_its_owner_only_and_leaves_no_other_file(
    endpoint: TokenEndpoint, store_path: Path
) -> None:
    endpoint.rotates("second")
    before = os.umask(0)
    try:
        sign_in(endpoint, store_path)
    finally:
        os.umask(before)
    for file in store_path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {file.name for file in store_path.parent.iterdir()} <= {"token.json", "token.json.lock"}
    assert CONFIGURED not in store_path.read_text()


def test_token_store_in_a_missing_folder_creates_the_folder(
    endpoint: TokenEndpoint, store_path: Path
) -> None:
    endpoint.rotates("second")
    inner = store_path.parent / "a" / "b" / "token.json"
    sign_in(endpoint, inner)
    assert stored_token(inner) == "second"


def test_token_store_behind_a_symbolic_link_keeps_the_link(
    endpoint: TokenEndpoint, store_path: Path, tmp_path: Path
) -> None:
    endpoint.rotates("second")
    link = tmp_path / "link.json"
    link.symlink_to(store_path)
    sign_in(endpoint, link)
    assert link.is_symlink()
    assert stored_token(store_path) == "second"


def test_token_store_with_a_tilde_is_in_the_home_folder(
    endpoint: TokenEndpoint, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(store_path.parent))
    endpoint.rotates("second")
    authorization(authenticator_for(endpoint, token_store="~/token.json"))  # noqa: S106 - a store_path
    assert stored_token(store_path) == "second"


def test_token_store_without_a_new_refresh_token_is_not_written(
    endpoint: TokenEndpoint, store_path: Path
) -> None:
    endpoint.gives("one")
    sign_in(endpoint, store_path)
    assert not store_path.exists()


def test_token_store_is_written_before_the_access_token_is_used(
    endpoint: TokenEndpoint, store_path: Path
) -> None:
    endpoint.rotates("second", "third")
    auth = authenticator_for(endpoint, token_store=str(store_path))
    for token in ("second", "third"):
        assert authorization(auth) == f"Bearer access-{token}"
        assert stored_token(store_path) == token
        auth.renew(float("inf"))


def test_refresh_token_that_is_configured_anew_takes_precedence_over_the_stored_one(
    endpoint: TokenEndpoint, store_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(store_path, endpoint, "stored", descends_from=fingerprint("an older one"))
    endpoint.rotates("second")
    with caplog.at_level(logging.INFO):
        sign_in(endpoint, store_path)
    assert endpoint.refresh_tokens == [CONFIGURED]
    assert stored(store_path)["descends_from"] == fingerprint(CONFIGURED)
    assert "is not a successor of" in caplog.text


def test_stored_token_without_a_configured_one_is_used(
    endpoint: TokenEndpoint, store_path: Path
) -> None:
    keep(store_path, endpoint, "stored")
    endpoint.rotates("second")
    sign_in(endpoint, store_path, refresh_token=None)
    assert endpoint.refresh_tokens == ["stored"]
    assert stored_token(store_path) == "second"
    assert stored(store_path)["descends_from"] is None


def test_stored_token_that_is_refused_is_replaced_by_the_configured_one_once(
    endpoint: TokenEndpoint, store_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(store_path, endpoint, "stored", descends_from=fingerprint(CONFIGURED))
    endpoint.rotates("second")
    good = endpoint.answers
    endpoint.refuses(400, REFUSED)
    endpoint.answers += good
    sign_in(endpoint, store_path)
    assert endpoint.refresh_tokens == ["stored", CONFIGURED]
    assert stored_token(store_path) == "second"
    assert "AADSTS50173" in caplog.text


def test_stored_and_configured_token_that_are_refused_fail_and_the_store_is_unchanged(
    endpoint: TokenEndpoint, store_path: Path
) -> None:
    keep(store_path, endpoint, "stored", descends_from=fingerprint(CONFIGURED))
    endpoint.refuses(400, REFUSED)
    assert "AADSTS50173" in refusal(authenticator_for(endpoint, token_store=str(store_path)))
    assert endpoint.refresh_tokens == ["stored", CONFIGURED]
    assert stored_token(store_path) == "stored"


@pytest.mark.parametrize(
    ("status", "error"), [(503, "server_error"), (400, "interaction_required"), (401, "x")]
)
def test_stored_token_is_not_replaced_after_another_error(
    endpoint: TokenEndpoint, store_path: Path, status: int, error: str
) -> None:
    keep(store_path, endpoint, "stored", descends_from=fingerprint(CONFIGURED))
    endpoint.refuses(status, {"error": error})
    refusal(authenticator_for(endpoint, token_store=str(store_path)))
    assert endpoint.refresh_tokens == ["stored"]


@pytest.mark.parametrize(
    "other", [{"client_id": "another"}, {"authority": "https://login.invented.example"}]
)
def test_stored_token_of_another_app_or_host_is_not_sent(
    endpoint: TokenEndpoint,
    store_path: Path,
    caplog: pytest.LogCaptureFixture,
    other: dict[str, str],
) -> None:
    keep(store_path, endpoint, "stored", **other)
    message = refusal(authenticator_for(endpoint, token_store=str(store_path), refresh_token=None))
    assert "dynamics365 login" in message
    assert endpoint.forms == []
    endpoint.rotates("second")
    sign_in(endpoint, store_path)
    assert endpoint.refresh_tokens == [CONFIGURED]
    assert "another app" in caplog.text


def test_client_id_of_the_stored_token_is_case_insensitive(
    endpoint: TokenEndpoint, store_path: Path
) -> None:
    keep(store_path, endpoint, "stored", client_id="THE-client")
    endpoint.rotates("second")
    sign_in(endpoint, store_path, refresh_token=None)
    assert endpoint.refresh_tokens == ["stored"]


# Files of the tap, or of another version of it, that are damaged.
DAMAGED = {
    "cut after the first character": "{",
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
    "more text after it": (
        '{"refresh_token": "x", "client_id": "the-client", "authority": "x"}\n{"refr'
    ),
}
# Files that another program or a person may have written. `[]` and `{}` are among them: the tap
# replaces its file as a whole, so that an accident does not leave these.
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
    endpoint: TokenEndpoint, store_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    store_path.write_text(content)
    endpoint.rotates("second", "third")
    message = refusal(authenticator_for(endpoint, token_store=str(store_path), refresh_token=None))
    assert "damaged" in message
    sign_in(endpoint, store_path)
    assert endpoint.refresh_tokens == [CONFIGURED]
    assert "damaged" in caplog.text
    assert stored_token(store_path) == "second"


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN.keys())
def test_token_store_that_names_a_foreign_file_is_refused_before_sign_in(
    endpoint: TokenEndpoint, store_path: Path, content: str
) -> None:
    written = content.encode(errors="surrogateescape")
    store_path.write_bytes(written)
    endpoint.rotates("second")
    for more in ({}, {"refresh_token": None}):
        with pytest.raises(TokenStoreError) as caught:
            sign_in(endpoint, store_path, **more)
        assert f"token_store {store_path} contains something other" in caught.value.message
        assert caught.value.message.endswith("Set token_store to another file.")
    assert endpoint.forms == []
    with pytest.raises(TokenStoreError):
        keep(store_path, endpoint, "new")
    assert store_path.read_bytes() == written


def test_token_store_whose_lock_is_a_foreign_file_is_refused_before_sign_in(
    endpoint: TokenEndpoint, store_path: Path
) -> None:
    lock = store_path.with_name("token.json.lock")
    lock.write_text("pinned versions")
    endpoint.rotates("second")
    with pytest.raises(TokenStoreError, match="Set token_store to another file"):
        sign_in(endpoint, store_path)
    assert endpoint.forms == []
    assert lock.read_text() == "pinned versions"


def test_token_store_that_is_empty_counts_as_missing(
    endpoint: TokenEndpoint, store_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store_path.touch()
    endpoint.rotates("second")
    sign_in(endpoint, store_path)
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
    store_path.write_text("\n")
    assert "no refresh token" in refusal(
        authenticator_for(endpoint, token_store=str(store_path), refresh_token=None)
    )


def test_token_store_that_can_not_be_written_is_reported_once_and_the_run_continues(
    endpoint: TokenEndpoint, store_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # A folder has the name of the store, so that not even root can write a file there.
    store_path.mkdir()
    (store_path / "something").touch()
    endpoint.rotates("second", "third", "fourth")
    auth = authenticator_for(endpoint, token_store=str(store_path))
    for _ in range(3):
        authorization(auth)
        auth.renew(float("inf"))
    assert endpoint.refresh_tokens == [CONFIGURED, "second", "third"]
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len([w for w in warnings if "written" in w]) == 1
    assert str(store_path) in caplog.text
    assert not [file for file in store_path.parent.iterdir() if file.name.startswith(".token")]


@pytest.mark.parametrize("kind", ["device", "pipe"])
def test_token_store_that_is_not_a_regular_file_is_reported_and_not_written(
    endpoint: TokenEndpoint, store_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """A device has no last byte; a pipe has no byte until another process writes."""
    if kind == "device":
        store_path.symlink_to("/dev/zero")
    else:
        os.mkfifo(store_path)
    before = store_path.stat()
    endpoint.rotates("second")
    sign_in(endpoint, store_path)
    after = store_path.stat()
    assert (before.st_mode, before.st_ino) == (after.st_mode, after.st_ino)
    assert "can't be written (It is not a file)" in caplog.text
    assert os.path.realpath(store_path) in caplog.text


def test_token_store_on_a_full_disk_is_reported_and_the_run_continues(
    endpoint: TokenEndpoint, store_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(store_path, endpoint, "old", descends_from=fingerprint(CONFIGURED))
    endpoint.rotates("second", "third")
    auth = authenticator_for(endpoint, token_store=str(store_path))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # From here on, no file can grow.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        authorization(auth)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert f"token_store {store_path} can't be written" in caplog.text
    assert stored_token(store_path) == "old"
    # The disk has room again.
    auth.renew(float("inf"))
    authorization(auth)
    assert endpoint.refresh_tokens == ["old", "second"]
    assert stored_token(store_path) == "third"


def test_token_store_below_a_file_is_reported_and_the_run_continues(
    endpoint: TokenEndpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    endpoint.rotates("second")
    sign_in(endpoint, tmp_path / "file" / "token.json")
    assert endpoint.refresh_tokens == [CONFIGURED]
    assert NO_LOCK in caplog.text


def test_token_store_after_a_failed_write_keeps_the_old_token(
    store_path: Path, endpoint: TokenEndpoint
) -> None:
    keep(store_path, endpoint, "old")
    with pytest.raises(TokenStoreError):
        # The name is too long for the temporary file.
        TokenStore(store_path.with_name("x" * 250)).write(
            StoredToken(refresh_token="new", client_id="x", authority="y")  # noqa: S106
        )
    assert stored_token(store_path) == "old"


def test_concurrent_runs_use_each_refresh_token_once(
    endpoint: TokenEndpoint, store_path: Path
) -> None:
    runs = 6
    endpoint.rotates(*(f"token-{number}" for number in range(runs)))
    with ThreadPoolExecutor(runs) as pool:
        list(pool.map(lambda _: sign_in(endpoint, store_path), range(runs)))
    # The runs took turns: no run used a token that another had used.
    assert endpoint.refresh_tokens == [CONFIGURED, *(f"token-{n}" for n in range(runs - 1))]
    assert stored_token(store_path) == f"token-{runs - 1}"
