"""Objects in a bucket: what needs no server. The rest is in tests/conformance."""

from headrace.objects.s3 import infos


def test_only_our_keys_that_begin_with_the_prefix_are_listed():
    class Moment:
        def timestamp(self) -> float:
            return 1.5

    found = [
        {"path": p, "size": 1, "last_modified": Moment()}
        for p in ("a/1", "a/2", "ab/1", ".headrace-check/x", "a/with space")
    ]
    assert [i.key for i in infos(found, "a/", "")] == ["a/1", "a/2"]
    assert [i.key for i in infos(found, "a", "a/1")] == ["a/2", "ab/1"]
    assert next(infos(found, "", "")).modified_ms == 1500
