"""The benchmark of Finance & Operations: what it counts, and what its programs are given."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.finance_operations import (
    CASES,
    LOAD,
    Completeness,
    FinanceDlt,
    FinanceTap,
    table,
)
from benchmarks.programs import Place
from benchmarks.running import Results
from tools.measuring import Measurement

if TYPE_CHECKING:
    from sandbox.finance_client import FinanceSandbox

EXPECTED = [("usmf", "1"), ("usmf", "2"), ("ussi", "1")]


def test_completeness_counts_rows_that_are_missing_and_rows_that_came_again() -> None:
    assert Completeness.of(EXPECTED, Counter(EXPECTED)) == Completeness(lost=0, doubled=0)
    found = Counter([EXPECTED[0]] * 3)
    assert Completeness.of(EXPECTED, found) == Completeness(lost=2, doubled=2)


def test_dlt_asks_for_all_companies_and_sorts_only_if_it_is_to(
    finance: FinanceSandbox, tmp_path: Path
) -> None:
    for is_sorted in (False, True):
        command = FinanceDlt(is_sorted=is_sorted).command(LOAD, Place(finance, tmp_path))
        given = json.loads(Path(str(command.arguments[-1])).read_text(encoding="utf-8"))
        ((name, query),) = [(each["set"], each["query"]) for each in given["tables"]]
        assert name == "CustomersV3"
        assert query["cross-company"] == "true"
        assert ("$orderby" in query) is is_sorted


def test_table_compares_time_for_each_row_with_the_first_program() -> None:
    case, (first, second, *_) = CASES[0], CASES[0].programs
    assert isinstance(first, FinanceTap)
    results = Results()
    results.measured[case.name][first.name] = [Measurement(1.0, 1.0, 0, 100)]
    results.measured[case.name][second.name] = [Measurement(1.0, 2.0, 0, 50)]
    whole = {first.name: Completeness(0, 0), second.name: Completeness(50, 7)}
    lines = table(case, results, whole)
    assert lines[-2].startswith(f"| {first.name} | 100 | 0 | 0 | 1.0 | 100 | 1.0 | 1.0 | 1.0 |")
    assert lines[-1].startswith(f"| {second.name} | 50 | 50 | 7 | 1.0 | 50 | 2.0 | 2.0 | 4.0 |")
