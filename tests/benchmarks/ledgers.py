"""Networks that have a history: chains of many signed events, made here and given to every home.

A chain is what the network itself would have made: real keys, signatures, certificates and state.
Only its speed is ours, as nobody votes: blocks are built one after another, and the finished folder
is copied to all who shall have it.
"""

import secrets
import shutil
import time

from daemon.joining.setup import load_node_keys, load_voting_keys
from daemon.storage.home import Home
from daemon.storage.store import ChainStore
from daemon.storage.vote_log import VoteLog
from daemon.storage.voting_memory import open_vote_log
from protocol.codec import MILLISECONDS_PER_DAY, decode
from protocol.consensus import LogRecord
from protocol.events import ConsentGiven, Event, SignedEvent, sign_event
from protocol.genesis import Genesis, Member, network_id
from protocol.identity import SigningKey, Verifier
from tests.benchmarks.nets import Net
from tests.daemon.executed_chains import ExecutedChain
from tests.protocol.examples import Network, Party

EVENTS_PER_BLOCK = 500
BLOCK_MILLISECONDS = 1
"""Between two blocks: the chain must not be ahead of the clock when the network goes on with it."""


def give_history(net: Net, names: tuple[str, ...], events: int) -> int:
    """Let each of these nodes, none of which ever ran, have so many events; return the height."""
    first, *others = (Home(net.home(name)) for name in names)
    network = network_of(net)
    with ChainStore.open(first.chain, network.id) as store:
        chain = ExecutedChain(
            store,
            network,
            verifier=Verifier(lambda *_: True),
            block_milliseconds=BLOCK_MILLISECONDS,
        )
        with open_vote_log(store, first.votes):
            pass
        for start in range(0, events, EVENTS_PER_BLOCK):
            count = min(EVENTS_PER_BLOCK, events - start)
            chain.add([make_consent(network) for _ in range(count)])
        height = store.height
    for home in others:
        shutil.copytree(first.chain, home.chain, dirs_exist_ok=True)
        with VoteLog[LogRecord].open(home.votes, network.id, LogRecord):
            pass
    return height


def network_of(net: Net) -> Network:
    """Return the network with all keys of its nodes, as far as signing a chain needs them."""
    homes = [Home(net.home(name)) for name in net.names]
    genesis = decode(homes[0].genesis.read_bytes(), Genesis)
    members = {member.id: member for member in genesis.members}
    parties = [_party_of(home, members) for home in homes]
    parties.sort(key=lambda party: party.id)
    voters = {authority.member for authority in genesis.authorities}
    return Network(
        genesis=genesis,
        id=network_id(genesis),
        authorities=tuple(party for party in parties if party.id in voters),
        members=tuple(party for party in parties if party.id not in voters),
    )


def _party_of(home: Home, members: dict[bytes, Member]) -> Party:
    keys = load_node_keys(home, None)
    key = SigningKey(keys.signing_seed)
    return Party(
        member=members[key.public],
        key=key,
        voting_key=load_voting_keys(home, keys).held[0],
        officer_key=SigningKey(keys.officer_seed),
        recovery_key=key,  # That one is offline, and nothing here recovers anything.
    )


def make_consent(network: Network) -> SignedEvent:
    """Return a new patient's consent."""
    key = SigningKey(secrets.token_bytes(32))
    now = time.time_ns() // 1_000_000
    body = ConsentGiven(
        subject=key.public,
        consent=secrets.token_bytes(16),
        custodian=network.authorities[0].id,
        terms=secrets.token_bytes(32),
        expiry_day=now // MILLISECONDS_PER_DAY + 30,
    )
    return sign_event(Event(now + MILLISECONDS_PER_DAY, body), network.id, key)
