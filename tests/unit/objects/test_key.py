"""Which texts are keys."""

import pytest

from headrace.objects.key import KEY_CHARACTERS_MAX, is_key


@pytest.mark.parametrize("text", ["a", "a/b.parquet", "A-1_x=2@y$z+:/0", "a" * KEY_CHARACTERS_MAX])
def test_plain_names_between_slashes_are_keys(text):
    assert is_key(text)


@pytest.mark.parametrize(
    "text", ["", "/", "a/", "/a", "a//b", ".", "..", "a/../b", ".a", "a/.b", "a\nb", "a\n", "é"]
)
def test_what_could_lead_out_of_a_folder_or_have_two_spellings_is_no_key(text):
    assert not is_key(text)


def test_a_key_has_a_length_that_every_store_takes():
    assert not is_key("a" * (KEY_CHARACTERS_MAX + 1))
