"""Sign-in of tasks: what goes to executors, and what stays on the driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pyspark import cloudpickle

from sandbox.identity.person import ACCOUNT
from tap_dynamics365.auth import access_token
from tap_dynamics365.errors import ServiceError
from tap_dynamics365.spark import Dynamics365DataSource
from tests.servers import azure
from tests.servers.certificate import make
from tests.spark.reading import Plan, app, copied, person

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.client import Sandbox

COLUMNS = {"path": "account", "columns": "accountid,name"}
OTHER = ("c11e0000-5a4d-4b0c-8b0c-0000000005ec", "invented-second-secret")


def issued_to(sandbox: Sandbox) -> set[str]:
    """The apps that got access tokens."""
    return {access_token.holder(token) for token in sandbox.issued() if token.count(".") == 2}


def test_pickle_for_executors_has_no_secret_and_no_token(sandbox: Sandbox) -> None:
    for options in (app(sandbox.settings, **COLUMNS), person(sandbox.settings, **COLUMNS)):
        plan = Plan(options)
        secrets = [
            options["client_secret"],
            options.get("refresh_token", "none"),
            *sandbox.issued(),
        ]
        assert not [secret for secret in secrets if secret.encode() in plan.sent]


def test_pickle_of_a_stream_has_no_secret_either(sandbox: Sandbox) -> None:
    for changes in ("modifiedon", "tracked"):
        options = person(sandbox.settings, changes=changes, **COLUMNS)
        source = Dynamics365DataSource(options)
        reader = source.streamReader(source.schema())
        # The driver keeps a connection open, which can't be pickled.
        reader.latestOffset(reader.initialOffset(), None)
        sent = cloudpickle.dumps((source, reader))
        reader.stop()
        secrets = [options["client_secret"], options["refresh_token"], *sandbox.issued()]
        assert not [secret for secret in secrets if secret.encode() in sent]


def test_data_source_keeps_its_options_until_it_has_a_reader(sandbox: Sandbox) -> None:
    source = Dynamics365DataSource(app(sandbox.settings, **COLUMNS))
    schema = source.schema()
    assert copied(source).options == source.options
    source.reader(schema)
    assert copied(source).options == {}
    # The source itself still has them, for the next query.
    assert source.options["client_secret"] == sandbox.settings["client_secret"]


def test_options_and_tasks_do_not_show_secrets_in_text(sandbox: Sandbox) -> None:
    settings = sandbox.settings
    for options in (app(settings, **COLUMNS), person(settings, **COLUMNS)):
        shown = repr([cloudpickle.loads(each) for each in Plan(options).partitions])
        secrets = [settings["client_secret"], settings["refresh_token"], *sandbox.issued()]
        assert not [secret for secret in secrets if secret in shown]


def test_tasks_of_a_person_get_the_access_token_alone(sandbox: Sandbox) -> None:
    settings = person(sandbox.settings, **COLUMNS)
    plan = Plan(settings)
    for task in plan.tasks:
        assert not {"refresh_token", "client_secret", "client_id", "token_store"} & {*task.config}
        assert access_token.holder(task.config["access_token"]) == ACCOUNT
        assert not task.is_renewable
    assert plan.rows().num_rows == len(sandbox.rows("account"))


def test_tasks_of_an_app_sign_in_and_renew_their_token(service: Sandbox) -> None:
    plan = Plan(app(service.settings, **COLUMNS, fetch_size="20", partitions="2"))
    batches = plan.batches()
    first = next(batches)
    service.expire_tokens()
    rows = first.num_rows + sum(batch.num_rows for batch in batches)
    assert rows == len(service.rows("account"))


def test_tasks_of_a_person_say_what_to_do_when_the_token_expires(service: Sandbox) -> None:
    plan = Plan(person(service.settings, **COLUMNS, fetch_size="20", partitions="2"))
    batches = plan.batches()
    next(batches)
    service.expire_tokens()
    with pytest.raises(ServiceError, match="Let an app sign in with client_id") as caught:
        list(batches)
    assert service.settings["refresh_token"] not in str(caught.value)


def test_tasks_of_an_app_whose_token_is_refused_do_not_advise_an_app(service: Sandbox) -> None:
    plan = Plan(app(service.settings, **COLUMNS))
    service.fault("/accounts", status=401, count=None)
    with pytest.raises(ServiceError, match="401") as caught:
        plan.rows()
    assert "Let an app sign in" not in caught.value.message


def test_tasks_of_a_certificate_read_its_file(changing_sandbox: Sandbox, tmp_path: Path) -> None:
    certificate = make()
    changing_sandbox.register_certificate(certificate.pem)
    file = tmp_path / "app.pem"
    file.write_text(certificate.with_key("invented-phrase"))
    options = app(changing_sandbox.settings, **COLUMNS, client_certificate=str(file))
    del options["client_secret"]
    plan = Plan({**options, "client_certificate_password": "invented-phrase"})
    assert all(task.is_renewable for task in plan.tasks)
    assert not [each for each in plan.partitions if b"-----BEGIN" in each]
    assert plan.rows().num_rows == len(changing_sandbox.rows("account"))


@pytest.mark.parametrize("credential", ["managed_identity", "azure_cli"])
def test_tasks_sign_in_with_what_each_machine_has_and_get_a_token_otherwise(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, credential: str
) -> None:
    """Executors have the identity of the machine, and not the Azure CLI of the driver."""
    options = {"service_url": sandbox.service_url, "azure_credential": credential, **COLUMNS}
    with azure.app_service(sandbox) as identity:
        command_line = azure.command_line(sandbox, tmp_path, sandbox.url)
        for name, value in {**identity, **command_line}.items():
            monkeypatch.setenv(name, value)
        plan = Plan(options)
        # Executors have no command line.
        monkeypatch.setenv("PATH", "/nowhere")
        assert plan.rows().num_rows == len(sandbox.rows("account"))
    is_machine = credential == "managed_identity"
    assert {task.is_renewable for task in plan.tasks} == {is_machine}
    assert {"access_token" in task.config for task in plan.tasks} == {not is_machine}


def test_refresh_token_that_is_valid_once_lasts_with_a_token_store(
    changing_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Spark starts a worker for the schema, and another one for each action."""
    changing_sandbox.configure(single_use_refresh_tokens=True)
    stored = {"token_store": str(tmp_path / "token.json")}
    options = person(changing_sandbox.settings, **COLUMNS, **stored)
    rows = {Plan(options).rows().num_rows for _ in range(2)}
    assert rows == {len(changing_sandbox.rows("account"))}


def test_several_apps_sign_in_one_after_the_other(changing_sandbox: Sandbox) -> None:
    settings = changing_sandbox.settings
    changing_sandbox.add_app(*OTHER)
    one, two = (settings["client_id"], settings["client_secret"]), OTHER
    lists = {
        "client_id": f'["{one[0]}", "{two[0]}"]',
        "client_secret": f'["{one[1]}", "{two[1]}"]',
    }
    plan = Plan({**app(settings, **COLUMNS, partitions="3", fetch_size="50"), **lists})
    signed = [(task.config["client_id"], task.config["client_secret"]) for task in plan.tasks]
    assert signed == [(one, two)[number % 2] for number in range(len(signed))]
    assert len(signed) > 1
    # The driver signs in as the first one.
    assert issued_to(changing_sandbox) == {f"app {one[0]}"}
    assert plan.rows().num_rows == len(changing_sandbox.rows("account"))
    assert issued_to(changing_sandbox) == {f"app {one[0]}", f"app {two[0]}"}


def test_worker_signs_in_once_for_all_its_tasks(changing_sandbox: Sandbox) -> None:
    plan = Plan(app(changing_sandbox.settings, **COLUMNS, partitions="3", fetch_size="50"))
    before = len(changing_sandbox.issued())
    plan.rows()
    assert len(changing_sandbox.issued()) == before + 1
