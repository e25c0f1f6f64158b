"""From epoch to epoch: hand-offs of docs/formats.md."""

from .certificates import check_certificate
from .codec import Refused
from .hashes import validators_hash


def check_handoff(genesis_id, epoch, validators, handoff):
    """Refuses a hand-off that does not lead from a trusted epoch and validator set to the next ones. Returns the next set."""
    checkpoint = handoff.certificate.checkpoint
    if handoff.certificate.scheme == 'ed25519-list' and handoff.recovery:
        raise Refused('recovery', 'a recovery beside a certificate by validators')
    try:
        check_certificate(genesis_id, epoch, validators, handoff.certificate)
    except Refused as refused:
        raise Refused('certificate', str(refused)) from None
    if checkpoint.nextEpoch != epoch + 1:
        raise Refused('end', 'its certificate does not end the epoch')
    if checkpoint.nextValidatorsHash != validators_hash(handoff.next):
        raise Refused('set', 'its certificate names another next validator set')
    return handoff.next


def follow_handoffs(genesis_id, validators, handoffs):
    """From the validators of genesis to the epoch and set that the hand-offs lead to; refused at step `epochs`."""
    for epoch, handoff in enumerate(handoffs):
        try:
            validators = check_handoff(genesis_id, epoch, validators, handoff)
        except Refused as refused:
            raise Refused('epochs', f'hand-off from epoch {epoch}: {refused}') from None
    return len(handoffs), validators
