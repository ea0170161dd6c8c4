"""What the browser shows when the sign-in is over."""

from __future__ import annotations

from html import escape

# Nothing is fetched: the browser may be cut off from everything but the sign-in host. Without
# colours of its own the page is dark where the person's other pages are.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{heading} – tap-dynamics365</title>
<style>
body {{ margin: 15vh auto 0; max-width: 36rem; padding: 0 1.5rem;
  font: 1.125rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }}
h1 {{ font-size: 1.75rem; line-height: 1.2 }}
</style>
</head>
<body>
<main>
<h1>{heading}</h1>
{paragraphs}
</main>
</body>
</html>
"""


def signed_in(who: str) -> str:
    """Write the page of a success.

    Args:
        who: Who signed in, and where.

    Returns:
        The page, as HTML.
    """
    return _page(
        "You are signed in", who, "You can close this window. The rest is in the terminal."
    )


def refused(reason: str) -> str:
    """Write the page of a failure.

    Args:
        reason: What went wrong, and the way out.

    Returns:
        The page, as HTML.
    """
    return _page(
        "You are not signed in",
        reason,
        "You can close this window. To try again, start tap-dynamics365-login again.",
    )


def not_waited_for() -> str:
    """Write the page of a visit that does not belong to the sign-in under way.

    Returns:
        The page, as HTML.
    """
    return _page(
        "Nothing to see here",
        "This address does not belong to the sign-in that tap-dynamics365-login waits for.",
        "You can close this window, and go on in the one that the command opened last, or open the "
        "address again that it shows in the terminal.",
    )


def _page(heading: str, *paragraphs: str) -> str:
    """Fill in the page; what the sign-in host or the service said is text, never HTML."""
    return _PAGE.format(
        heading=escape(heading),
        paragraphs="\n".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs),
    )
