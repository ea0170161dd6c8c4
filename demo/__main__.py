"""The command line: `python -m demo`."""

import argparse
import signal
import sys
import tempfile
import time
from typing import NoReturn

from demo.story import WrongResultError, tell
from sandbox.client import SandboxError
from tools.meltano import MeltanoError
from tools.postgres import PostgresError

TAIL = 25


def main() -> int:
    """Tell the story, and what went wrong if something did.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000, help="rows of the Dynamics 365")
    rows = parser.parse_args().rows
    # Whoever stops the demo this way wants all that it started stopped too.
    signal.signal(signal.SIGTERM, _interrupt)
    started = time.monotonic()
    print("From Dynamics 365 to PostgreSQL with Meltano, all of it on this machine.\n")
    try:
        tell(rows)
    except KeyboardInterrupt:
        print("\nInterrupted. Nothing is left running.")
        return 130
    except MeltanoError as error:
        return _fail(f"{error.command} failed.", error.log)
    except (PostgresError, SandboxError, WrongResultError) as error:
        return _fail(*str(error).split("\n", 1))
    print(f"It took {time.monotonic() - started:.0f} seconds. Nothing is left running.")
    print("To work with the local Dynamics 365 yourself: make sandbox")
    return 0


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _fail(what: str, log: str = "") -> int:
    """Tell what failed, show the end of the log, and keep all of it."""
    sys.stdout.flush()
    print(f"\n{what}", file=sys.stderr)
    if log:
        with tempfile.NamedTemporaryFile(
            "w", prefix="tap-dynamics365-demo-", suffix=".log", delete=False
        ) as file:
            file.write(log)
        tail = log.splitlines()[-TAIL:]
        print("\n" + "\n".join(tail), file=sys.stderr)
        print(f"\nThe whole log: {file.name}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
