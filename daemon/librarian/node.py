"""What the librarian needs of the node that it works for. `daemon.node.Node` has all of it."""

from typing import Protocol

from daemon.receipts import Receipt
from daemon.storage.home import Home
from daemon.storage.store import ChainStore
from daemon.transport import Stream
from daemon.vault.vault import Vault
from protocol.events import ConsentId, SignedEvent
from protocol.genesis import Genesis, Member
from protocol.identity import MemberId, NetworkId, SigningKey, SubjectId
from protocol.kem import KemPrivateKey
from protocol.state import StateView


class LibrarianKeys(Protocol):
    """The keys with which a librarian signs, and opens what is sealed to this member."""

    @property
    def signing(self) -> SigningKey: ...

    @property
    def kem(self) -> tuple[KemPrivateKey, ...]: ...


class LibrarianNode(Protocol):
    """A node of one member, as seen by its librarian."""

    me: MemberId
    network: NetworkId
    genesis: Genesis
    home: Home
    store: ChainStore
    vault: Vault

    @property
    def keys(self) -> LibrarianKeys: ...

    @property
    def state(self) -> StateView: ...

    def now(self) -> int: ...

    def member(self, member: MemberId, /) -> Member | None: ...

    def is_withdrawn(self, consent: ConsentId, /) -> bool: ...

    def next_counter(self, subject: SubjectId, /) -> int: ...

    async def submit(self, signed: SignedEvent, /) -> Receipt: ...

    async def open_stream(self, member: MemberId, protocol: str, /) -> Stream: ...
