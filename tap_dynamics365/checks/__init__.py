"""Named checks of settings, sign-in, service and tables, each with what to do about a fault."""
