"""Batches: several requests in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sandbox.api import Api


def _batch(api: Api, *paths: str, **headers: str) -> tuple[int, list[str]]:
    lines = []
    for path in paths:
        lines += ["--b", "Content-Type: application/http", "Content-Transfer-Encoding: binary", ""]
        lines += [f"GET /api/data/v9.2/{path} HTTP/1.1", "Accept: application/json", "", ""]
    body = "\r\n".join([*lines, "--b--", ""]).encode()
    response = api.session.post(
        f"{api.sandbox.service_url}$batch",
        data=body,
        headers={"Content-Type": "multipart/mixed; boundary=b", **headers},
        timeout=30,
    )
    boundary = response.headers["Content-Type"].rpartition("boundary=")[2]
    assert boundary.startswith("batchresponse_")
    return response.status_code, response.content.decode().split(f"--{boundary}\r\n")[1:]


def test_batch_returns_a_response_for_each_part(api: Api) -> None:
    paths = ("accounts?$select=name&$top=1", "nothing", "contacts?$top=1")
    status, parts = _batch(api, *paths)
    assert (status, len(parts)) == (400, 2)
    status, parts = _batch(api, *paths, Prefer="odata.continue-on-error")
    assert (status, len(parts)) == (200, 3)
    assert ["HTTP/1.1 200" in part for part in parts] == [True, False, True]
    assert all("\r\n\r\n{" in part for part in parts)
    assert _batch(api, "WhoAmI", "WhoAmI")[0] == 200


def test_batch_with_too_many_parts_is_refused(api: Api) -> None:
    response = api.session.post(
        f"{api.sandbox.service_url}$batch",
        data="--b\r\nContent-Type: application/http\r\n\r\nGET WhoAmI HTTP/1.1\r\n\r\n" * 1001,
        headers={"Content-Type": "multipart/mixed; boundary=b"},
        timeout=30,
    )
    assert response.status_code == 400
    assert "A maximum number of '1000'" in response.text
