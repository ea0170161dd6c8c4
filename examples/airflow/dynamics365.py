"""DAG of Airflow 3 that runs a Meltano project every hour.

Meltano keeps the state: in the database that MELTANO_DATABASE_URI names, or where
MELTANO_STATE_BACKEND_URI points to. Workers have no disk of their own that lasts.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG(
    dag_id="dynamics365",
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    # The tap knows from its state what is missing: one run catches up.
    catchup=False,
    # Two runs at once would extract the same rows.
    max_active_runs=1,
):
    BashOperator(
        task_id="extract_and_load",
        bash_command="meltano run tap-dynamics365 target-postgres",
        cwd="/opt/warehouse",
        # Settings of the tap come from the environment of the worker, or from .env in the project.
        append_env=True,
        env={"MELTANO_STATE_BACKEND_URI": "{{ var.value.meltano_state_backend_uri }}"},
        retries=2,
        retry_delay=timedelta(minutes=10),
    )
