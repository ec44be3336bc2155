"""Advice exists for real errors only, and for every other there is some."""

from daemon.next_steps import DEFAULT, NEXT_STEPS, next_step_for
from protocol import consent, custody, disclosure, ledger, membership, mempool
from protocol.errors import ProtocolError


def codes_below(error: type[ProtocolError]) -> set[str]:
    return {error.code}.union(*(codes_below(each) for each in error.__subclasses__()))


def test_every_code_with_advice_is_one_of_the_protocol() -> None:
    for module in (consent, custody, disclosure, ledger, membership, mempool):
        assert module.__doc__  # Their errors are known once they are imported.
    assert set(NEXT_STEPS) <= codes_below(ProtocolError)


def test_other_codes_get_advice_too() -> None:
    assert next_step_for("unheard-of") == DEFAULT
    assert next_step_for("name-taken") == "Choose another name."
