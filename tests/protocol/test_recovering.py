"""A node meets a recovery: it follows what its operator accepted, and stops at anything else."""

from dataclasses import replace as with_fields
from typing import Any

import pytest
from msgspec.structs import replace

from protocol.blocks import Block, FinalizedBlocks
from protocol.effects import AdoptRecovery, Effect, SendRecovery
from protocol.electorates import enter_epoch
from protocol.errors import InvalidBlock
from protocol.identity import Verifier
from protocol.light import EpochProof, FinalHeader, LightClient, RecoveryNotAccepted
from protocol.messages import RangeWanted, RecoverySent, RecoveryWanted, Status
from protocol.origin import Origin
from protocol.recovering import ASKED_MAX
from protocol.recovery_proof import InvalidRecovery, recovery_hash
from protocol.snapshot import OfferRecovery
from protocol.state import EpochEntry
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.example_node import ExampleNode, blamed, finalized, of, said
from tests.protocol.examples import Party, make_network, make_party, records_committed, token
from tests.protocol.recovery_examples import manifest_on, proof_of

NETWORK = make_network()
FIRST, SECOND = NETWORK.authorities[:2]
CLINIC, OTHER = NETWORK.members
LEDGER = ExampleLedger(NETWORK)
BLOCKS = [
    finalized(LEDGER, records_committed(NETWORK, OTHER, root=token(f"root {n}"))) for n in range(4)
]
BASE, KEPT, NEWER = (each.blocks[0] for each in BLOCKS[1:])
HEIGHT = BASE.header.height
CLAIM = Status(epoch=1, view=1, height=HEIGHT + 1, certificate=None, lowest_height=0)
LATER = FinalizedBlocks(
    (replace(KEPT, header=replace(KEPT.header, epoch=1)),), replace(BLOCKS[2].certificate, epoch=1)
)
"""What comes after the base, for a node that knows nothing of epoch 1."""

MANIFEST = manifest_on(NETWORK, BASE)
GOOD = RecoverySent(proof_of(NETWORK, MANIFEST, 0, 1, 2), ())
WITH_KEPT = RecoverySent(proof_of(NETWORK, manifest_on(NETWORK, KEPT), 0, 2, 3), (KEPT,))


class AcceptingNode(ExampleNode):
    """Its operator has accepted a recovery."""

    accepts = MANIFEST

    def origin(self, *arguments: Any, **more: Any) -> Origin:
        accepted = {0: recovery_hash(self.accepts)}
        return with_fields(super().origin(*arguments, **more), accepted=accepted)


class KeepingNode(AcceptingNode):
    accepts = WITH_KEPT.proof.manifest


def at_the_base(kind: type[ExampleNode] = ExampleNode) -> ExampleNode:
    """Return a clinic's node that has all blocks up to the base."""
    node = kind(NETWORK, CLINIC, FIRST, OTHER)
    for block in BLOCKS[:2]:
        node.gossip(FIRST, block)
    return node


def asked(kind: type[ExampleNode] = ExampleNode) -> ExampleNode:
    """Return such a node, which has asked the other member for the recovery."""
    node = at_the_base(kind)
    [(peer, _)] = said(node.hear(OTHER, CLAIM), RangeWanted)
    assert peer == OTHER.id
    assert said(node.hear(OTHER, LATER), RecoveryWanted) == [(OTHER.id, RecoveryWanted(0))]
    return node


def is_stopped(node: ExampleNode) -> bool:
    return said(node.hear(FIRST, CLAIM), RangeWanted) == []


def test_blocks_of_an_unknown_epoch_are_no_reason_to_blame_but_to_ask() -> None:
    node = at_the_base()
    node.hear(OTHER, CLAIM)
    assert blamed(node.hear(OTHER, LATER)) == []


def test_a_question_for_a_recovery_is_passed_to_the_disk() -> None:
    effects = at_the_base().hear(OTHER, RecoveryWanted(0))
    assert of(SendRecovery, effects) == [SendRecovery(OTHER.id, 0)]


def test_what_the_operator_has_not_accepted_stops_the_node_and_blames_nobody() -> None:
    node = asked()
    assert node.core.catching_up.offered is None

    effects = node.hear(OTHER, GOOD)
    assert of(OfferRecovery, effects) == [OfferRecovery(GOOD)]
    assert (blamed(effects), of(AdoptRecovery, effects)) == ([], [])
    assert node.core.catching_up.offered == MANIFEST
    assert is_stopped(node)
    assert node.core.chain.height == HEIGHT


def test_a_recovery_that_is_offered_again_is_no_news() -> None:
    node = asked()
    node.hear(OTHER, GOOD)
    node.hear(OTHER, LATER)
    assert node.hear(OTHER, GOOD) == []


def test_a_node_goes_on_if_its_own_chain_does_after_all() -> None:
    node = asked()
    node.hear(OTHER, GOOD)
    node.gossip(FIRST, BLOCKS[2])
    assert node.core.catching_up.offered is None


def test_what_the_operator_has_accepted_is_followed() -> None:
    effects = asked(AcceptingNode).hear(OTHER, GOOD)
    assert of(AdoptRecovery, effects) == [AdoptRecovery(GOOD)]
    assert of(OfferRecovery, effects) == []


def test_kept_blocks_come_with_the_recovery() -> None:
    node = at_the_base(KeepingNode)
    node.hear(OTHER, CLAIM)
    whole = RecoverySent(WITH_KEPT.proof, (BASE, KEPT))
    assert of(AdoptRecovery, node.hear(OTHER, whole)) == [AdoptRecovery(WITH_KEPT)]


def test_another_recovery_than_the_accepted_one_is_not_followed() -> None:
    effects = asked(KeepingNode).hear(OTHER, GOOD)
    assert (of(AdoptRecovery, effects), len(of(OfferRecovery, effects))) == ([], 1)


def _changed(**changes: Any) -> RecoverySent:
    return RecoverySent(proof_of(NETWORK, replace(MANIFEST, **changes), 0, 1, 2), ())


BODY = replace(KEPT, events=BASE.events)
HOSTILE = {
    "too few signatures": RecoverySent(proof_of(NETWORK, MANIFEST, 0, 1), ()),
    "no signature": RecoverySent(proof_of(NETWORK, MANIFEST), ()),
    "one key thrice": RecoverySent(proof_of(NETWORK, MANIFEST, 1, 1, 1), ()),
    "no authority": RecoverySent(
        replace(GOOD.proof, signatures=tuple(
            replace(each, signer=each.signer + 2) for each in GOOD.proof.signatures
        )), (),
    ),
    "forged": RecoverySent(
        proof_of(NETWORK, replace(MANIFEST, reason="greed"), 0, 1, 2, signed=MANIFEST), ()
    ),
    "another network": _changed(network=token("another")),
    "authorities twice": _changed(authorities=NETWORK.genesis.authorities[:1] * 2),
    "another base": _changed(base=token("another")),
    "a base above us that is not shown": _changed(base_height=HEIGHT + 5),
    "blocks in another order": RecoverySent(WITH_KEPT.proof, (NEWER, KEPT)),
    "too many blocks": RecoverySent(WITH_KEPT.proof, (KEPT, NEWER)),
    "a changed body": RecoverySent(WITH_KEPT.proof, (BODY,)),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", [ExampleNode, AcceptingNode, KeepingNode])
def test_a_liar_is_blamed_and_nothing_is_followed_or_offered(
    name: str, kind: type[ExampleNode]
) -> None:
    node = asked(kind)
    effects = node.hear(OTHER, HOSTILE[name])

    assert blamed(effects) in ([InvalidRecovery], [InvalidBlock])
    assert of(OfferRecovery, effects) == []
    assert of(AdoptRecovery, effects) == []
    assert node.core.catching_up.offered is None
    assert not is_stopped(node)


@pytest.mark.parametrize("sent", [GOOD, HOSTILE["forged"]])
def test_recoveries_that_nobody_asked_for_cost_nothing(sent: RecoverySent) -> None:
    node = at_the_base(AcceptingNode)
    for _ in range(3):
        assert node.hear(OTHER, sent) == []


def test_one_question_brings_one_judgement() -> None:
    node = asked()
    assert blamed(node.hear(OTHER, HOSTILE["forged"])) == [InvalidRecovery]
    for _ in range(3):
        assert node.hear(OTHER, HOSTILE["forged"]) == []


def test_a_recovery_of_an_epoch_that_is_not_known_is_left() -> None:
    assert asked().hear(OTHER, _changed(epoch=3)) == []


def test_the_keys_of_an_epoch_that_has_ended_say_nothing_about_later_blocks() -> None:
    node = asked(AcceptingNode)
    entry = EpochEntry(1, HEIGHT - 1, NETWORK.genesis.authorities)
    node.stored.update({key: value or b"" for key, value in enter_epoch(entry).items()})
    assert node.hear(OTHER, GOOD) == []


def test_a_base_below_our_head_is_left() -> None:
    node = at_the_base(AcceptingNode)
    node.gossip(FIRST, BLOCKS[2])
    node.hear(OTHER, replace(CLAIM, height=HEIGHT + 9))
    node.hear(OTHER, FinalizedBlocks((_late(NEWER),), LATER.certificate))
    assert node.hear(OTHER, GOOD) == []


def _late(block: Block) -> Block:
    return replace(block, header=replace(block.header, epoch=1))


def test_a_question_is_forgotten_when_too_many_are_open() -> None:
    parties = [make_party(f"peer {n}") for n in range(ASKED_MAX)]
    node = asked(AcceptingNode)
    for party in parties:
        _make_it_ask(node, party)
    assert node.hear(OTHER, GOOD) == []
    assert of(AdoptRecovery, node.hear(parties[-1], GOOD)) != []


def _make_it_ask(node: ExampleNode, party: Party) -> list[Effect]:
    effects = node.hear(party, LATER)
    assert said(effects, RecoveryWanted) == [(party.id, RecoveryWanted(0))]
    return effects


def light(*accepted: Any) -> LightClient:
    hashes = dict.fromkeys([0], recovery_hash(*accepted)) if accepted else {}
    return LightClient(NETWORK.genesis, Verifier(), hashes)


def test_a_light_client_goes_over_an_accepted_recovery() -> None:
    client = light(MANIFEST)
    client.advance(GOOD.proof)
    assert (client.epoch, client.authorities) == (1, MANIFEST.authorities)


def test_a_light_client_stops_at_any_other() -> None:
    for client in (light(), light(WITH_KEPT.proof.manifest)):
        with pytest.raises(RecoveryNotAccepted) as stop:
            client.advance(GOOD.proof)
        assert stop.value.proof == GOOD.proof
        assert client.epoch == 0


@pytest.mark.parametrize(
    "name", ["too few signatures", "no signature", "one key thrice", "forged", "another network"]
)
def test_a_light_client_refuses_what_too_few_signed(name: str) -> None:
    for client in (light(), light(MANIFEST)):
        with pytest.raises(InvalidRecovery):
            client.advance(HOSTILE[name].proof)


def test_a_recovery_voids_the_handoff_that_was_decided_before() -> None:
    final = FinalHeader(BASE.header, (), BLOCKS[1].certificate)
    with pytest.raises(InvalidBlock, match="recovery"):
        light(MANIFEST).advance(EpochProof(final, NETWORK.genesis.authorities))
