"""Text of a file .env: the variables of settings change, and all other lines stay."""

from __future__ import annotations

from io import StringIO

from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from tap_dynamics365.config_files import env_text

NAMES = ["service_url", "client_id", "client_secret", "token_store"]
SETTINGS = st.dictionaries(
    st.sampled_from(NAMES), st.text("aä 'é\"#\\=\n", min_size=1, max_size=8), min_size=1
)
# Lines of other programs, comments, and a variable of a setting that is kept or replaced.
LINES = st.lists(
    st.sampled_from(
        [
            "# A comment",
            "",
            "OTHER='several\nlines'",
            "export PATH=/bin",
            "not a variable",
            "TAP_DYNAMICS365_TABLES=account",
            "TAP_DYNAMICS365_CLIENT_ID=old # why",
            " export TAP_DYNAMICS365_CLIENT_ID='old'",
        ]
    )
)


@given(LINES, st.sampled_from(["\n", "\r\n"]), st.booleans(), SETTINGS)
def test_env_file_has_the_settings_and_keeps_the_rest(
    lines: list[str],
    end: str,
    ended: bool,  # noqa: FBT001 - generated
    settings: dict[str, str],
) -> None:
    text = end.join(lines) + (end if ended else "")
    changed = env_text.change(text, settings)
    before, after = (dotenv_values(stream=StringIO(each, newline="")) for each in (text, changed))
    written = {f"TAP_DYNAMICS365_{name.upper()}": value for name, value in settings.items()}
    assert after == {**before, **written}
    assert env_text.change(changed, settings) == changed
    own = [at for at, line in enumerate(lines) if "CLIENT_ID" in line]
    if "client_id" in settings and own:
        assert changed.startswith(end.join(lines[: own[-1]]))
        assert end.join(lines[own[-1] + 1 :]) in changed
    else:
        assert changed.startswith(text)


@given(LINES, SETTINGS)
def test_removed_settings_leave_no_variable(lines: list[str], settings: dict[str, str]) -> None:
    text = "\n".join(lines) + "\n"
    removed = env_text.change(env_text.change(text, settings), dict.fromkeys(settings))
    assert not settings.keys() & env_text.load(removed).keys()
    assert [line for line in removed.splitlines() if "CLIENT_ID" not in line] == [
        line for line in text.splitlines() if "CLIENT_ID" not in line
    ]


def test_covered_text_shows_names_and_no_value_of_a_secret_or_of_another_program() -> None:
    text = (
        "# TAP_DYNAMICS365_CLIENT_SECRET=commented out\n"
        "# Note: no variable\n"
        "TAP_DYNAMICS365_USER=ada\n\n"
        "export TAP_DYNAMICS365_PASSWORD='two\nlines'\n"
        "no variable, token=one\n"
    )
    assert env_text.cover(text, lambda name, value: value if name.endswith("USER") else "-") == (
        "# TAP_DYNAMICS365_CLIENT_SECRET=-\n"
        "# Note: no variable\n"
        "TAP_DYNAMICS365_USER=ada\n\n"
        "export TAP_DYNAMICS365_PASSWORD=-\n"
        "no variable, token=-\n"
    )
