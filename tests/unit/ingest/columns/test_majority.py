"""A few odd values do not decide what a column is; many do."""

from headrace.ingest.columns.majority import mostly_vectors, mostly_whole


def test_most_values_decide_what_a_column_of_vectors_is() -> None:
    good = [0.5, 1]
    assert mostly_vectors([good, None, good, [1], good, "x"]) is None  # half of them
    assert mostly_vectors([good, None, good, [1], good]) == [good, None, good, None, good]
    assert mostly_vectors([[1], [2], [3]]) is None  # one number is no vector
    assert mostly_vectors([]) is None


def test_most_values_decide_what_a_key_is() -> None:
    assert mostly_whole([1, 2**63, -(2**63)]) == [1, None, -(2**63)]
    assert mostly_whole([1, True, "x"]) is None
    assert mostly_whole([]) is None
