"""Makes `python -m tap_dynamics365.commands` the same as `dynamics365`."""

from tap_dynamics365.commands.command import dynamics365

dynamics365(prog_name="dynamics365")
