"""Reading a bucket without a loop: what a reader is told at its start."""

from typing import Any

import obstore
import pytest
from obstore.exceptions import GenericError

from headrace.model.errors import Invalid
from headrace.objects.bucket_files import list_bucket
from headrace.objects.s3_access import S3Access, connect


def test_who_reads_without_credentials_learns_which_settings_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def asked_in_vain(*_: Any) -> None:
        raise GenericError("Error performing PUT http://169.254.169.254/latest/api/token")

    monkeypatch.setattr(obstore, "list", asked_in_vain)
    with pytest.raises(Invalid, match=r"s3://x/y: no credentials: set objects\.access_key_id"):
        list_bucket(connect("s3://x/y", S3Access()), "collections/")
