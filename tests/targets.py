"""Real targets without Meltano around them: processes that read Singer messages."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demo.meltano import PLUGINS
from demo.warehouse import SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

    from demo.meltano import Project
    from demo.postgres import Postgres

SECONDS = 120


@dataclass(frozen=True)
class Target:
    """A target with its settings.

    Args:
        executable: The program.
        config: The file of its settings.
    """

    executable: Path
    config: Path

    def load(self, output: str) -> None:
        """Load what a tap wrote.

        Args:
            output: Its standard output; the last line may be half.
        """
        whole = output[: output.rfind("\n") + 1]
        done = subprocess.run(  # noqa: S603 - the plugin's own program
            [self.executable, "--config", self.config],
            input=whole.encode(),
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()


def target_postgres(project: Project, database: Postgres, **settings: Any) -> Target:
    """Set up target-postgres as Meltano installs it.

    Args:
        project: A project of Meltano's.
        database: Where it loads to.
        **settings: More of its settings.
    """
    executable = PLUGINS / "loaders" / "target-postgres" / "venv" / "bin" / "target-postgres"
    if not executable.exists():
        project.run("install", "loader", "target-postgres")
    config = project.folder / "target-postgres.json"
    default = {"sqlalchemy_url": database.sqlalchemy_url, "default_target_schema": SCHEMA}
    config.write_text(json.dumps({**default, **settings}))
    return Target(executable, config)
