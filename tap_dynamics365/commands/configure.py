"""`dynamics365 configure`: starts the local page."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tap_dynamics365.commands import sources
from tap_dynamics365.commands.options import config_option
from tap_dynamics365.config_files import meltano_yml
from tap_dynamics365.errors import SettingsError
from tap_dynamics365.login import terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

# The exit code that shells use for a program that Ctrl-C ended.
INTERRUPTED = 130
PACKAGES = ("jinja2", "starlette", "uvicorn")


@click.command()
@config_option
@click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="Folder of your project. By default, the working folder.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port of the page. By default, any."
)
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
@click.pass_context
def configure(
    context: click.Context,
    /,
    *,
    files: tuple[str, ...],
    project: Path,
    port: int,
    no_browser: bool,
) -> None:
    """Open a page in the browser to connect, to choose tables, and to save the choice.

    Only this machine can reach the page, and only the browser that opens its address.
    """
    if not all(map(find_spec, PACKAGES)):
        msg = (
            "dynamics365 configure needs packages that are not installed: pip install "
            '"tap-dynamics365[configure]". In a Meltano project, add [configure] to pip_url, and '
            "run meltano install."
        )
        raise SettingsError(msg)
    # Most commands do without these packages.
    from tap_dynamics365.configure.server import KEPT, serve  # noqa: PLC0415
    from tap_dynamics365.configure.session import Session  # noqa: PLC0415

    values, origins = _read(files, project)
    session = Session(project.resolve(), values, origins)
    try:
        serve(session, port=port, opens_browser=not no_browser)
    except KeyboardInterrupt:
        terminal.say(f"Ended with Ctrl-C. {KEPT}")
        context.exit(INTERRUPTED)


def _read(files: Sequence[str], project: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Read the settings, and where each is from. A new project may have none.

    Without files, meltano.yml of the project counts too. Variables take precedence over it, as in
    Meltano.
    """
    values = sources.read_settings(files, project)
    origins = dict.fromkeys(values, "environment or .env")
    for file in files:
        if file != sources.ENVIRONMENT:
            own = sources.read_settings([file])
            origins |= dict.fromkeys(own, Path(file).name)
    if not files and (found := meltano_yml.read(project)) is not None:
        values = {**found.settings, **values}
        origins = {**dict.fromkeys(found.settings, meltano_yml.NAME), **origins}
    return values, origins
