"""Pages: what the browser shows after the sign-in."""

from __future__ import annotations

from html import escape

# The page loads nothing, because the browser may reach no other host than the sign-in host. It sets
# no colors, so that it follows the dark mode of the browser.
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
    """Build the page of a successful sign-in.

    Args:
        who: Who signed in, and where.

    Returns:
        The page, as HTML.
    """
    return _page("You are signed in", who, "You can close this window and return to the terminal.")


def refused(reason: str) -> str:
    """Build the page of a failed sign-in.

    Args:
        reason: What went wrong, and what to do.

    Returns:
        The page, as HTML.
    """
    return _page(
        "You are not signed in",
        reason,
        "You can close this window. To try again, run dynamics365 login again.",
    )


def unexpected() -> str:
    """Build the page of a redirect that does not belong to the current sign-in.

    Returns:
        The page, as HTML.
    """
    return _page(
        "This is not the current sign-in",
        "This address does not belong to the sign-in that dynamics365 login waits for.",
        "You can close this window. Continue in the window that the command opened last, or open "
        "the address in the terminal again.",
    )


def _page(heading: str, *paragraphs: str) -> str:
    """Fill in the page. Texts of the sign-in host or the service are escaped."""
    return _PAGE.format(
        heading=escape(heading),
        paragraphs="\n".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs),
    )
