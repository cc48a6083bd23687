"""Which indexes and metrics fit a field."""

import pytest

from headrace.model.errors import Invalid
from headrace.model.schema import DataType, Field
from headrace.proxy.accepted.index_check import INDEX_TYPES, METRIC_TYPES, check_index
from headrace.proxy.collections.schema_check import SERVED_TYPES


def field_of(kind: DataType) -> Field:
    return Field(id=100, name="f", type=kind)


@pytest.mark.parametrize("kind", SERVED_TYPES)
def test_an_index_may_leave_both_to_the_server(kind: DataType) -> None:
    check_index(field_of(kind), [])
    check_index(field_of(kind), [("index_type", ""), ("metric_type", "")])
    check_index(field_of(kind), [("index_type", "AUTOINDEX"), ("params", "{}")])


@pytest.mark.parametrize("kind", [t for t in SERVED_TYPES if t.is_vector])
def test_every_vector_has_indexes_and_metrics(kind: DataType) -> None:
    for index in INDEX_TYPES[kind]:
        for metric in METRIC_TYPES[kind]:
            pairs = [("index_type", index), ("metric_type", metric.lower())]
            check_index(field_of(kind), pairs)


@pytest.mark.parametrize(
    ("kind", "metric"),
    [
        (DataType.FLOAT_VECTOR, "HAMMING"),
        (DataType.FLOAT_VECTOR, "COSIN"),
        (DataType.BINARY_VECTOR, "L2"),
        (DataType.SPARSE_FLOAT_VECTOR, "COSINE"),
        (DataType.SPARSE_FLOAT_VECTOR, "BM25"),
        (DataType.INT64, "L2"),
    ],
)
def test_a_metric_that_does_not_fit_is_refused_by_name(kind: DataType, metric: str) -> None:
    with pytest.raises(Invalid, match=f"the metric type '{metric}' is not known for it"):
        check_index(field_of(kind), [("metric_type", metric)])


@pytest.mark.parametrize(
    ("kind", "index"),
    [
        (DataType.FLOAT_VECTOR, "HNWS"),
        (DataType.FLOAT_VECTOR, "BIN_FLAT"),
        (DataType.SPARSE_FLOAT_VECTOR, "HNSW"),
        (DataType.VARCHAR, "IVF_FLAT"),
        (DataType.INT64, "TRIE"),
    ],
)
def test_an_index_that_does_not_fit_is_refused_by_name(kind: DataType, index: str) -> None:
    with pytest.raises(Invalid, match=f"field 'f' of type {kind.name}.*'{index}'"):
        check_index(field_of(kind), [("index_type", index)])
