"""A patient's seed as 24 words that can be written on paper (BIP 39, English).

The words hold the 32 bytes of the seed and a checksum of 8 bits: most slips of the pen are
noticed. Imported only where a phrase is needed, so that other commands start fast.
"""

from mnemonic import Mnemonic

from daemon.errors import DaemonError, Exit
from daemon.keys.keystore import PatientKeys

WORD_COUNT = 24
PHRASE_LENGTH_MAX = 1_024


class InvalidPhrase(DaemonError):
    """The words are no recovery phrase. Its text never quotes them."""

    code = "invalid-recovery-phrase"
    exit_code = Exit.USAGE
    next_step = "Compare each word and their order with what you wrote down."


def phrase_of(keys: PatientKeys) -> str:
    """Return the 24 words, with a space between them."""
    phrase: str = Mnemonic("english").to_mnemonic(keys.seed)
    return phrase


def keys_of(phrase: str) -> PatientKeys:
    """Return the keys of a phrase in any case and spacing, or raise `InvalidPhrase`."""
    if len(phrase) > PHRASE_LENGTH_MAX:
        raise InvalidPhrase(f"A recovery phrase has at most {PHRASE_LENGTH_MAX} letters.")
    mnemonic = Mnemonic("english")
    words = phrase.lower().split()
    if len(words) != WORD_COUNT:
        raise InvalidPhrase(f"A recovery phrase has {WORD_COUNT} words, not {len(words)}.")
    unknown = [str(place) for place, word in enumerate(words, 1) if word not in mnemonic.wordlist]
    if unknown:
        raise InvalidPhrase(f"No such word in recovery phrases: number {', '.join(unknown)}.")
    if not mnemonic.check(" ".join(words)):
        raise InvalidPhrase("The words do not belong together: one is wrong, or their order is.")
    return PatientKeys(bytes(mnemonic.to_entropy(" ".join(words))))
