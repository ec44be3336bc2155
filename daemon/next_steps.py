"""What a local user can do about what the rules forbid, by the error's code.

The protocol says who is to blame and why; it does not know who sits in front of the node.
"""

NEXT_STEPS = {
    "already-a-member": "Start the node: it belongs to the network.",
    "already-in-chain": "Nothing: it is final. See: placet events",
    "already-reviewed": "See how it was judged: placet emergency list",
    "already-suspended": "Nothing: it is known. See: placet authority list",
    "already-withdrawn": "Nothing: the consent is void.",
    "authority-suspended": "See what it signed: placet events --kind equivocation",
    "ballot-without-effect": "See what is decided and who has voted: placet authority list",
    "consent-expiry-out-of-range": "Choose another time with --from and --days.",
    "counter-gap": "Try again: another disclosure came first.",
    "event-expired": "Sign it again, and check the clock: placet doctor",
    "event-too-early": "Check the clock of this machine: placet doctor",
    "handoff-pending": "Wait until the next epoch has begun; see: placet authority list",
    "invalid-signature": "Check that the key is the right one for this patient and custodian.",
    "mempool-full": "Try again in a moment; see: placet status",
    "name-taken": "Choose another name.",
    "no-active-consent": "Ask the patient for a new consent.",
    "no-such-consent": "Compare the id with: placet consent list",
    "no-such-emergency": "Compare the id with: placet emergency list",
    "not-a-member": "See who belongs to the network: placet member list",
    "not-an-authority": "Ask an authority; see: placet member list",
    "not-ready": "Have that member run: placet authority ready",
    "offer-outdated": "Nothing: the node offers a key again once the next epoch has begun.",
    "other-custodian": "Use the subject that the patient has towards this custodian.",
    "policy-forbids": "Ask the patient for consent.",
    "recovery-key-differs": "Put the member card that init made back into the node's folder.",
    "review-of-own-access": "Have the custodian or another authority review it.",
    "share-exceeded": "Wait until what was submitted before is final; see: placet status",
}

DEFAULT = "See what the node says about it: placet logs"


def next_step_for(code: str) -> str:
    """Return what to do about an error with that code."""
    return NEXT_STEPS.get(code, DEFAULT)
