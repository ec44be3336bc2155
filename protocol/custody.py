"""What custodians commit to: the rules of `RecordsCommitted` and `Erased`.

The chain keeps the commitments themselves; the state only counts them for each custodian.
"""

from msgspec.structs import replace

from protocol.codec import encode
from protocol.events import Erased, RecordsCommitted
from protocol.membership import require_member
from protocol.state import Changes, StateView, custodian_entry, custodian_key


def apply_records_committed(state: StateView, body: RecordsCommitted) -> Changes:
    """Raises `NotAMember`."""
    require_member(state, body.custodian)
    entry = custodian_entry(state, body.custodian)
    counted = replace(
        entry,
        batch_count=entry.batch_count + 1,
        record_count=entry.record_count + body.count,
    )
    return {custodian_key(body.custodian): encode(counted)}


def apply_erased(state: StateView, body: Erased) -> Changes:
    """Raises `NotAMember`."""
    require_member(state, body.custodian)
    entry = custodian_entry(state, body.custodian)
    counted = replace(entry, erasure_count=entry.erasure_count + 1)
    return {custodian_key(body.custodian): encode(counted)}
