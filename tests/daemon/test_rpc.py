"""Lines of the control protocol, as pure functions."""

from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from daemon.rpc import (
    CallFailed,
    Failure,
    Notice,
    Request,
    Result,
    encode_reply,
    encode_request,
    parse_reply,
    parse_request,
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(st.integers() | st.text(max_size=10), st.text(min_size=1, max_size=64), values)
def test_requests_and_replies_are_read_back(identifier: int | str, method: str, value: Any) -> None:
    request = Request(identifier, method, {"value": value})
    assert parse_request(encode_request(request)) == request
    for reply in (Result(identifier, value), Notice("item", {"item": value})):
        assert parse_reply(encode_reply(reply)) == reply


@given(st.binary(max_size=200))
def test_arbitrary_lines_raise_nothing_but_call_failed(line: bytes) -> None:
    with suppress(CallFailed):
        parse_request(line)
    with suppress(CallFailed):
        parse_reply(line)


def test_an_error_is_read_back_with_all_that_helps() -> None:
    error = CallFailed("locked", code="key-locked", next_step="Unlock it.", exit_code=6)
    found = parse_reply(encode_reply(Failure(1, error)))
    assert isinstance(found, Failure)
    assert (str(found.error), found.error.code) == ("locked", "key-locked")
    assert (found.error.next_step, found.error.exit_code) == ("Unlock it.", 6)
