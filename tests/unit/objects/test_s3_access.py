"""How a bucket is reached: what is taken from where, and what is refused before it is tried."""

import pytest

from headrace.model.errors import Invalid
from headrace.objects.s3_access import (
    S3Access,
    credentials_of,
    endpoint_of,
    parse_uri,
    region_of,
)

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "their-key",
    "AWS_SECRET_ACCESS_KEY": "their-secret",
    "AWS_SESSION_TOKEN": "their-token",
    "AWS_DEFAULT_REGION": "eu-1",
    "AWS_ENDPOINT_URL": "http://there:9000/",
}


@pytest.mark.parametrize(
    ("uri", "parsed"),
    [
        ("s3://b", ("b", "")),
        ("s3://b/", ("b", "")),
        ("s3://b/a/c/", ("b", "a/c")),
    ],
)
def test_a_uri_names_bucket_and_prefix(uri, parsed):
    assert parse_uri(uri) == parsed


@pytest.mark.parametrize("uri", ["s3://", "s3:///a", "gs://b/a", "s3://b/a?x=1", "s3://b/../a"])
def test_other_uris_are_refused(uri):
    with pytest.raises(Invalid):
        parse_uri(uri)


def test_credentials_in_a_uri_are_refused_and_not_repeated():
    with pytest.raises(Invalid, match=r"objects\.access_key_id") as caught:
        parse_uri("s3://my-key:my-secret@bucket/a")
    assert "my-" not in caught.value.message


def test_secrets_are_not_shown():
    access = S3Access(access_key_id="my-key", secret_access_key="my-secret", session_token="my-t")
    assert "my-" not in repr(access)


def test_what_is_not_given_is_taken_from_the_usual_variables():
    access = S3Access()
    assert credentials_of(access, ENVIRONMENT) == {
        "access_key_id": "their-key",
        "secret_access_key": "their-secret",
        "session_token": "their-token",
    }
    assert region_of(access, ENVIRONMENT) == "eu-1"
    assert endpoint_of(access, ENVIRONMENT) == "http://there:9000"
    assert endpoint_of(access, {**ENVIRONMENT, "AWS_ENDPOINT_URL_S3": "https://s3"}) == "https://s3"
    assert (credentials_of(access, {}), endpoint_of(access, {})) == ({}, "")
    assert region_of(access, {}) == "us-east-1"


def test_what_is_given_is_not_mixed_with_the_environment():
    access = S3Access(
        access_key_id="k", secret_access_key="s", region="us-2", endpoint="http://here:1"
    )
    assert credentials_of(access, ENVIRONMENT) == {"access_key_id": "k", "secret_access_key": "s"}
    assert (region_of(access, ENVIRONMENT), endpoint_of(access, ENVIRONMENT)) == (
        "us-2",
        "http://here:1",
    )


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"endpoint": "127.0.0.1:9000"}, "endpoint"),
        ({"endpoint": "http://"}, "endpoint"),
        ({"endpoint": "http://a:port"}, "endpoint"),
        ({"endpoint": "http://a/path"}, "endpoint"),
        ({"endpoint": "http://my-key:my-secret@a"}, "endpoint"),
        ({"region": "eu west"}, "region"),
        ({"access_key_id": "my-key"}, "secret_access_key"),
        ({"secret_access_key": "my-secret"}, "access_key_id"),
        ({"access_key_id": "k", "secret_access_key": "my-secret\n"}, "secret_access_key"),
        ({"session_token": "my-token"}, "session_token"),
    ],
)
def test_values_that_cannot_be_are_refused_by_name_and_not_repeated(values, field):
    with pytest.raises(Invalid, match=field) as caught:
        S3Access(**values)
    assert caught.value.field == field
    assert "my-" not in caught.value.message


def test_half_of_the_credentials_in_the_environment_are_refused():
    with pytest.raises(Invalid, match="AWS_SECRET_ACCESS_KEY is not set"):
        credentials_of(S3Access(), {"AWS_ACCESS_KEY_ID": "k"})
    with pytest.raises(Invalid, match="AWS_SECRET_ACCESS_KEY has a space"):
        credentials_of(S3Access(), {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s\r\n"})
