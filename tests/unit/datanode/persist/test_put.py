"""Whose object it is that stands under a key already."""

from headrace.datanode.persist.put import is_ours


def test_the_same_bytes_in_other_parts_are_ours() -> None:
    assert is_ours(b"abcdef", (b"ab", memoryview(b"cd"), b"ef"))
    assert is_ours(b"", ())


def test_other_bytes_or_another_length_are_not() -> None:
    assert not is_ours(b"abcdeX", (b"abc", b"def"))
    assert not is_ours(b"abc", (b"abc", b"def"))
    assert not is_ours(b"abcdefg", (b"abc", b"def"))
