"""What --uri may be."""

import pytest

from kwsd.errors import UsageError
from kwsd.wyoming.address import Address


def test_every_kind_is_parsed() -> None:
    tcp = Address.parse("tcp://0.0.0.0:1234")
    assert (tcp.scheme, tcp.host, tcp.port) == ("tcp", "0.0.0.0", 1234)
    assert Address.parse("tcp://localhost").port == 10_400
    assert Address.parse("tcp://[::1]:5").host == "::1"
    assert str(Address.parse("unix:///run/kwsd/wake.sock").path) == "/run/kwsd/wake.sock"
    assert Address.parse("stdio://").scheme == "stdio"


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "stdio",
        "tcp://",
        "tcp://a:b",
        "tcp://a:99999",
        "tcp://a/b",
        "unix://",
        "unix://a",
        "127.0.0.1:10400",
    ],
)
def test_anything_else_is_refused(uri: str) -> None:
    with pytest.raises(UsageError, match=r"give tcp://ADDRESS:PORT, unix:///PATH or stdio://"):
        Address.parse(uri)
