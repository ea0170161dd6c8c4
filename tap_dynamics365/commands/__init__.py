"""The command `dynamics365`: sign in, check the connection, look at tables and rows."""
