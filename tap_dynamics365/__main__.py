"""Makes `python -m tap_dynamics365` the same as `tap-dynamics365`."""

from tap_dynamics365.tap import TapDynamics365

TapDynamics365.cli()
