"""Bytes are compared as one, however they are cut."""

from headrace.model.entry import same_bytes


def test_the_same_bytes_in_other_parts_are_the_same() -> None:
    assert same_bytes((b"ab", memoryview(b"cd"), b"ef"), b"abcdef")
    assert same_bytes((), b"")


def test_other_bytes_or_another_length_are_not() -> None:
    assert not same_bytes((b"abc", b"def"), b"abcdeX")
    assert not same_bytes((b"abc", b"def"), b"abc")
    assert not same_bytes((b"abc", b"def"), b"abcdefg")
