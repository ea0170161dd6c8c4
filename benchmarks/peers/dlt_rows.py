"""dlt's `rest_api` source: it extracts and does not load."""

import json
import sys
import tempfile
from pathlib import Path

import dlt
from dlt.sources.rest_api import rest_api_source


def main(path: str) -> None:
    """Extract the tables of a configuration file.

    Args:
        path: Path of the file.
    """
    given = json.loads(Path(path).read_text(encoding="utf-8"))
    source = rest_api_source(
        {
            "client": {
                "base_url": given["service_url"],
                "headers": {"Prefer": "odata.maxpagesize=5000"},
                "auth": {
                    "type": "oauth2_client_credentials",
                    "access_token_url": given["token_uri"],
                    "client_id": given["client_id"],
                    "client_secret": given["client_secret"],
                    "access_token_request_data": {"scope": given["scope"]},
                },
                "paginator": {"type": "json_link", "next_url_path": "['@odata.nextLink']"},
            },
            "resource_defaults": {"endpoint": {"data_selector": "value"}},
            "resources": [
                {
                    "name": table["name"],
                    "endpoint": {"path": table["set"], "params": table["query"]},
                }
                for table in given["tables"]
            ],
        }
    )
    if columns := given.get("print_keys"):
        for row in source:
            print(json.dumps([row[column] for column in columns]))
        return
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline("benchmark", pipelines_dir=folder, destination="duckdb")
        found = pipeline.extract(source)
    steps = [step for steps in found.metrics.values() for step in steps]
    counts = {
        name: metric.items_count
        for step in steps
        for name, metric in step["resource_metrics"].items()
        if not name.startswith("_dlt")
    }
    print("rows", sum(counts.values()))


if __name__ == "__main__":
    main(sys.argv[1])
