"""Makes `python -m tap_dynamics365.login` the same as `dynamics365 login`."""

from tap_dynamics365.login.command import login

login()
