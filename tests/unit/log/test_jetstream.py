"""JetStream's answers, read as the server writes them."""

import pytest

from headrace.log.jetstream import delivered_id
from headrace.log.wire import Delivery


@pytest.mark.parametrize(
    "reply",
    [
        b"$JS.ACK.headrace-dml-0.consumer.1.42.7.1700000000000000000.3",
        b"$JS.ACK._.ACCOUNT.headrace-dml-0.consumer.1.42.7.1700000000000000000.3.token",
        b"$JS.ACK.hub.ACCOUNT.headrace-dml-0.consumer.1.42.7.1700000000000000000.3",
    ],
)
def test_the_id_of_a_delivered_message_stands_where_it_would_be_acked(reply: bytes) -> None:
    assert delivered_id(Delivery(b"headrace-dml-0", b"2", reply, b"", b"")) == 42
