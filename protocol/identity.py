"""Who signs: Ed25519 keys and signatures, as libsodium checks them.

A member's id is its public key. A signature always covers a domain and the network's id besides
the message, so it is worthless for another purpose or in another network. Only libsodium verifies
signatures: RFC 8032 leaves edge cases open, and two libraries that differ in one of them would
split the chain.
"""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError

from protocol.codec import Bytes32, Bytes64

PublicKey = Bytes32
"""An Ed25519 public key."""

MemberId = PublicKey
"""The public key of a member's node. It gives the libp2p peer id too."""

SubjectId = PublicKey
"""The public key of a patient towards one custodian."""

NetworkId = Bytes32
"""The hash of the genesis."""

Signature = Bytes64
"""An Ed25519 signature."""

VERIFIED_SIGNATURES_MAX = 65_536
"""How many good signatures a `Verifier` remembers."""

IsValid = Callable[[PublicKey, bytes, Signature], bool]


class SigningKey:
    """An Ed25519 private key. It is never printed, compared or encoded."""

    __slots__ = ("_secret", "public")

    def __init__(self, seed: bytes) -> None:
        assert len(seed) == 32
        self.public, self._secret = crypto_sign_seed_keypair(seed)

    def sign(self, message: bytes) -> Signature:
        return crypto_sign(message, self._secret)[:64]

    def __repr__(self) -> str:
        return f"SigningKey({short(self.public)})"


def is_valid_signature(key: PublicKey, message: bytes, signature: Signature) -> bool:
    """Say whether `key` signed `message`; small-order and non-canonical points never did."""
    try:
        crypto_sign_open(signature + message, key)
    except BadSignatureError:
        return False
    return True


class Verifier:
    """Checks each signature once, and remembers the good ones.

    The daemon may call `is_valid_signature` in a worker thread and `remember` the result: the
    decision stays the same, only the work moves.
    """

    def __init__(self, is_valid: IsValid = is_valid_signature) -> None:
        self._is_valid = is_valid
        self._verified: OrderedDict[bytes, None] = OrderedDict()
        """Hashes of key, signature and message: messages may be large.

        A full `dict` would look for its oldest entry behind all that were removed.
        """

    def is_valid(self, key: PublicKey, message: bytes, signature: Signature) -> bool:
        name = _name(key, message, signature)
        if name in self._verified:
            return True
        if not self._is_valid(key, message, signature):
            return False
        self._remember(name)
        return True

    def remember(self, key: PublicKey, message: bytes, signature: Signature) -> None:
        """Take in a signature that was found good elsewhere."""
        self._remember(_name(key, message, signature))

    def _remember(self, name: bytes) -> None:
        if len(self._verified) >= VERIFIED_SIGNATURES_MAX:
            self._verified.popitem(last=False)
        self._verified[name] = None


def signing_bytes(domain: str, network: NetworkId, message: bytes) -> bytes:
    """Return what is signed: the domain, the network and the encoded message."""
    return b"placet/" + domain.encode("ascii") + b"/1\0" + network + message


def _name(key: PublicKey, message: bytes, signature: Signature) -> bytes:
    return blake2b(key + signature + message, digest_size=32, person=b"placet/verified").digest()


def short(identifier: bytes) -> str:
    """Return the first eight hex digits: enough to tell ids apart, and all we ever print."""
    return identifier.hex()[:8]
