"""Files of a project: settings and selection in meltano.yml, .env, config.json and catalog.json."""
