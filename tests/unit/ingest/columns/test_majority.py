"""A few odd values do not decide what a column is; many do."""

from headrace.ingest.columns.majority import majority_integers, majority_vectors


def test_most_values_decide_what_a_column_of_vectors_is() -> None:
    good = [0.5, 1]
    assert majority_vectors([good, None, good, [1], good, "x"]) is None  # half of them
    assert majority_vectors([good, None, good, [1], good]) == [good, None, good, None, good]
    assert majority_vectors([[1], [2], [3]]) is None  # one number is no vector
    assert majority_vectors([]) is None


def test_most_values_decide_what_a_key_is() -> None:
    assert majority_integers([1, 2**63, -(2**63)]) == [1, None, -(2**63)]
    assert majority_integers([1, True, "x"]) is None
    assert majority_integers([]) is None
