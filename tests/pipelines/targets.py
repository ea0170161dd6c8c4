"""Real targets, run without Meltano: processes that read Singer messages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from tests.fork_server import ForkServer
from tools.meltano import PLUGINS
from tools.warehouse import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

    from tools.meltano import Project
    from tools.postgres import Postgres

SECONDS = 120

ENVIRONMENT = PLUGINS / "loaders" / "target-postgres" / "venv"
# Forked, because the tests are not about how the target starts.
TARGETS = ForkServer(["target_postgres.target"], python=str(ENVIRONMENT / "bin" / "python"))
LOADING = "from target_postgres.target import TargetPostgres; TargetPostgres.cli()"


@dataclass(frozen=True)
class Target:
    """A target with its settings.

    Args:
        config: File with its settings.
    """

    config: Path

    def load(self, output: str) -> None:
        """Load the output of a tap.

        Args:
            output: Standard output of the tap. An incomplete last line is left out.
        """
        whole = output[: output.rfind("\n") + 1]
        with TemporaryFile() as messages:
            messages.write(whole.encode())
            messages.seek(0)
            process = TARGETS.start(
                ("-c", LOADING),
                ["--config", str(self.config)],
                cwd=self.config.parent,
                stdin=messages,
            )
        with process:
            _, log = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, log.decode()


def target_postgres(project: Project, database: Postgres, **settings: Any) -> Target:
    """Set up target-postgres as Meltano installs it.

    Args:
        project: Meltano project.
        database: Database to load into.
        **settings: More settings of the target.
    """
    if not ENVIRONMENT.exists():
        project.run("install", "loader", "target-postgres")
    config = project.folder / "target-postgres.json"
    default = {"sqlalchemy_url": database.sqlalchemy_url, "default_target_schema": SCHEMA}
    config.write_text(json.dumps({**default, **settings}))
    return Target(config)
