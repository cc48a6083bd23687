"""The demo's comparison can fail: one row removed, doubled or altered is found, and exits 1."""

import numpy as np
import pyarrow as pa
import pytest

from headrace.cli.demo.corpus import DIM, Corpus, Text
from headrace.cli.demo.report import Report
from headrace.cli.demo.verify import Ledger, compare

CORPUS = Corpus([Text("m", f"n{i}", f"text number {i} of some") for i in range(7)])
ROWS = 40


def batch_of(numbers, editions):
    numbers, editions = np.array(numbers, np.int64), np.array(editions, np.int64)
    vectors = CORPUS.vectors_of(numbers, editions).reshape(-1)
    sources = [CORPUS.texts[n % len(CORPUS.texts)] for n in numbers]
    texts = [CORPUS.text(int(n), int(e)) for n, e in zip(numbers, editions, strict=True)]
    return pa.RecordBatch.from_arrays(
        [
            pa.array(numbers),
            pa.array([s.module for s in sources]),
            pa.array([s.name for s in sources]),
            pa.array(texts),
            pa.FixedSizeListArray.from_arrays(pa.array(vectors), DIM),
        ],
        names=["id", "module", "name", "text", "embedding"],
    )


@pytest.fixture
def ledger():
    ledger = Ledger(ROWS)
    ledger.wrote(np.arange(ROWS), 0)
    ledger.deleted(np.array([3, 5]))
    ledger.wrote(np.array([8]), 1)
    return ledger


@pytest.fixture
def stored(ledger):
    numbers = np.flatnonzero(ledger.editions >= 0)
    return batch_of(numbers, ledger.editions[numbers])


def status(ledger, batches):
    report = Report(kills=1)
    report.take(compare(CORPUS, ledger, batches))
    return report


def test_equal_content_exits_0(ledger, stored):
    report = status(ledger, [stored.slice(0, 20), stored.slice(20)])
    assert (report.exit_status, report.stored, report.expected) == (0, 38, 38)
    assert ledger.acknowledged == ROWS + 1


def test_one_row_removed_exits_1(ledger, stored):
    report = status(ledger, [stored.slice(1)])
    assert (report.exit_status, report.lost, report.duplicated) == (1, 1, 0)


def test_one_row_doubled_exits_1(ledger, stored):
    report = status(ledger, [stored, stored.slice(4, 1)])
    assert (report.exit_status, report.lost, report.duplicated) == (1, 0, 1)


def test_one_deleted_row_that_is_there_exits_1(ledger, stored):
    report = status(ledger, [stored, batch_of([3], [0])])
    assert (report.exit_status, report.duplicated) == (1, 1)


def test_one_bit_of_a_vector_altered_exits_1(ledger, stored):
    flat = stored.column("embedding").flatten().to_numpy().copy()
    flat.view(np.uint32)[DIM * 4 + 7] ^= 1
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(flat), DIM)
    altered = stored.set_column(4, "embedding", vectors)
    report = status(ledger, [altered])
    assert (report.exit_status, report.altered) == (1, 1)


def test_one_replaced_row_in_its_old_edition_exits_1(ledger):
    numbers = np.flatnonzero(ledger.editions >= 0)
    report = status(ledger, [batch_of(numbers, np.zeros(len(numbers)))])
    assert (report.exit_status, report.altered) == (1, 1)


def test_without_a_kill_the_demo_exits_1(ledger, stored):
    report = Report(kills=0)
    report.take(compare(CORPUS, ledger, [stored]))
    assert (report.verified, report.exit_status) == (True, 1)
