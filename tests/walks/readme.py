"""The commands and examples of README.md, by the step that they belong to."""

from __future__ import annotations

from tests.documents import Document
from tools.repository import REPOSITORY

PAGE = Document(REPOSITORY / "README.md")

(INSTALL,) = PAGE.commands("install")
(SIGN_IN,) = PAGE.commands("2-sign-in")
(CONFIG,) = PAGE.commands("2-sign-in", "json")
(FIRST_RUN, NEXT_RUN) = PAGE.commands("3-extract")
(MELTANO_PROJECT, MELTANO_RUN) = PAGE.commands("with-meltano")
(PIP_URL,) = PAGE.commands("with-meltano", "yaml")
(SANDBOX, DEMO) = PAGE.commands("try-it-without-dynamics-365")

COMMANDS = [INSTALL, SIGN_IN, FIRST_RUN, NEXT_RUN, MELTANO_PROJECT, MELTANO_RUN, SANDBOX, DEMO]
