"""Command line of the demo: `python -m demo`."""

import argparse
import signal
import sys
import tempfile
import time
from typing import NoReturn

from demo import dataverse, finance_operations
from demo.pipeline import WrongResultError
from sandbox.client import SandboxError
from tools.meltano import MeltanoError
from tools.postgres import PostgresError
from tools.system import require_posix

TAIL = 25
STORIES = {"dataverse": dataverse.run, "finance-operations": finance_operations.run}


def main() -> int:
    """Run the demo, and report an error.

    Returns:
        Exit code.
    """
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000, help="rows of the Dynamics 365")
    parser.add_argument(
        "--service", choices=[*STORIES], default="dataverse", help="service of the Dynamics 365"
    )
    given = parser.parse_args()
    require_posix("The demo")
    # SIGTERM must stop everything that the demo has started, too.
    signal.signal(signal.SIGTERM, _interrupt)
    started = time.monotonic()
    print("From Dynamics 365 to PostgreSQL with Meltano, on this machine.\n")
    try:
        STORIES[given.service](given.rows)
    except KeyboardInterrupt:
        print("\nInterrupted. All processes of the demo have ended.")
        return 130
    except MeltanoError as error:
        return _fail(f"{error.command} failed.", error.log)
    except (PostgresError, SandboxError, WrongResultError) as error:
        return _fail(*str(error).split("\n", 1))
    print(
        f"Duration: {time.monotonic() - started:.0f} seconds. All processes of the demo have ended."
    )
    yourself = "make sandbox"
    if given.service != parser.get_default("service"):
        yourself += f" SERVICE={given.service}"
    print(f"To work with the local Dynamics 365 yourself: {yourself}")
    return 0


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _fail(what: str, log: str = "") -> int:
    """Print what failed and the end of the log, and save the whole log."""
    sys.stdout.flush()
    print(f"\n{what}", file=sys.stderr)
    if log:
        with tempfile.NamedTemporaryFile(
            "w", prefix="tap-dynamics365-demo-", suffix=".log", delete=False
        ) as file:
            file.write(log)
        tail = log.splitlines()[-TAIL:]
        print("\n" + "\n".join(tail), file=sys.stderr)
        print(f"\nComplete log: {file.name}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
