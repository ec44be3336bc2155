"""The chain, judged by a ledger that is naive on purpose (and so plainly right).

It reads final events in their order and knows six rules: a counter has no gap, a disclosure cites
a consent that was given to that custodian and is neither withdrawn nor expired on the block's day,
nobody is admitted twice, only members act, every signature is good, no event is past its time.
"""

from collections import Counter

from protocol.blocks import Block
from protocol.codec import MILLISECONDS_PER_DAY
from protocol.events import (
    ConsentBasis,
    ConsentGiven,
    ConsentWithdrawn,
    Disclosure,
    Event,
    MemberAdmitted,
    MemberRemoved,
    RecordsCommitted,
    SignedEvent,
    event_signing_bytes,
)
from protocol.identity import IsValid, is_valid_signature
from simulations.checkers.watch import Watch
from simulations.world.crypto import FastKey, is_valid_fast

LedgerError = str


class NaiveLedger:
    """What the chain says, read without any of the protocol's code."""

    def __init__(self, network: bytes, members: list[bytes], is_valid: IsValid) -> None:
        self.network = network
        self.members = dict.fromkeys(members)
        self.consents: dict[tuple[bytes, bytes], tuple[bytes, int]] = {}
        """By subject and consent: custodian, and the last day on which it counts."""
        self.withdrawn: dict[tuple[bytes, bytes], int] = {}
        self.disclosures: Counter[bytes] = Counter()
        self._is_valid = is_valid

    def read(self, block: Block) -> list[LedgerError]:
        """Read one block; return what is wrong with it."""
        wrong: list[LedgerError] = []
        for signed in block.events:
            wrong += self._read(signed, block)
        return wrong

    def _read(self, signed: SignedEvent, block: Block) -> list[LedgerError]:
        wrong: list[LedgerError] = []
        event, time = signed.event, block.header.timestamp
        if event.valid_until < time:
            wrong.append("an event is past its time")
        for signer, signature in zip(self._signers(event), signed.signatures, strict=False):
            if not self._is_valid(signer, event_signing_bytes(event, self.network), signature):
                wrong.append(f"a signature of a {type(event.body).__name__} is not good")
        return wrong + self._apply(event, block)

    def _signers(self, event: Event) -> list[bytes]:
        match event.body:
            case ConsentGiven(subject=subject) | ConsentWithdrawn(subject=subject):
                return [subject]
            case Disclosure(custodian=custodian) | RecordsCommitted(custodian=custodian):
                return [custodian]
            case MemberAdmitted(member=member, sponsor=sponsor):
                return [sponsor, member.id]
            case MemberRemoved(removers=removers):
                return list(removers)
        return []

    def _apply(self, event: Event, block: Block) -> list[LedgerError]:
        match event.body:
            case ConsentGiven(subject, consent, custodian, _, expiry_day):
                self.consents[(subject, consent)] = (custodian, expiry_day)
            case ConsentWithdrawn(subject, consent):
                self.withdrawn.setdefault((subject, consent), block.header.height)
            case MemberAdmitted(member=member):
                known = member.id in self.members
                self.members[member.id] = None
                return ["a member is admitted twice"] if known else []
            case MemberRemoved(member=removed):
                self.members.pop(removed, None)
            case RecordsCommitted(custodian=custodian) if custodian not in self.members:
                return ["somebody acts who is no member"]
            case Disclosure() as disclosure:
                return self._disclose(disclosure, block.header.timestamp // MILLISECONDS_PER_DAY)
        return []

    def _disclose(self, disclosure: Disclosure, day: int) -> list[LedgerError]:
        wrong: list[LedgerError] = []
        self.disclosures[disclosure.subject] += 1
        if disclosure.counter != self.disclosures[disclosure.subject]:
            wrong.append(f"counter {disclosure.counter} has a gap before it")
        if not {disclosure.custodian, disclosure.requester} <= self.members.keys():
            wrong.append("a record is disclosed by or to somebody who is no member")
        if isinstance(disclosure.basis, ConsentBasis):
            key = (disclosure.subject, disclosure.basis.consent)
            custodian, expiry_day = self.consents.get(key, (b"", -1))
            if key in self.withdrawn:
                wrong.append("a disclosure cites a consent that is withdrawn")
            if custodian != disclosure.custodian or day > expiry_day:
                wrong.append("a disclosure cites a consent that is unknown or expired")
        return wrong


class Ledger:
    """Reads the chain of the witness at the end of the run."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def at_end(self) -> None:
        cast, witness = self.watch.world.cast, self.watch.world.witness
        is_valid = is_valid_fast if cast.make_key is FastKey else is_valid_signature
        members = [member.id for member in cast.genesis.members]
        ledger = NaiveLedger(cast.id, members, is_valid)
        for block in witness.disk.blocks[1:]:
            for wrong in ledger.read(block):
                self.watch.report(self, f"block {block.header.height}: {wrong}", witness)
