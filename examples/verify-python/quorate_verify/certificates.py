"""Validator sets, multi-signatures and certificates of docs/formats.md."""

from .codec import Refused, bits_of
from .ed25519 import is_valid_signature
from .hashes import sign_bytes, validators_hash
from .layouts import LAYOUTS


def quorum(members):
    """How many of `members` validators must sign."""
    faulty = (members - 1) // 3
    return (members + faulty + 2) // 2  # (n + f + 1) / 2 rounded up


def check_certificate(genesis_id, epoch, validators, certificate):
    """Refuses a certificate that is not valid for a trusted epoch and validator set. Returns the validators that signed."""
    checkpoint = certificate.checkpoint
    if certificate.scheme != 'ed25519-list':
        # Only for whoever was told by people to accept it, which this verifier can not be.
        raise Refused('recovery', f'epoch {checkpoint.epoch} was ended by a recovery at height {checkpoint.height}')
    if checkpoint.epoch != epoch:
        raise Refused('epoch', f'of epoch {checkpoint.epoch}, expected {epoch}')
    if checkpoint.validatorsHash != validators_hash(validators):
        raise Refused('validators', 'of another validator set')
    _check_next_epoch(checkpoint)
    message = sign_bytes('checkpoint', genesis_id, LAYOUTS['Checkpoint'].write(checkpoint))
    return _check_multi_signature(validators, message, certificate.proof)


def _check_next_epoch(checkpoint):
    """The set may only change with the epoch, and epochs follow one another."""
    if checkpoint.nextEpoch == checkpoint.epoch:
        if checkpoint.nextValidatorsHash != checkpoint.validatorsHash:
            raise Refused('next', 'the validator set changes inside the epoch')
    elif checkpoint.nextEpoch != checkpoint.epoch + 1:
        raise Refused('next', f'epoch {checkpoint.nextEpoch} does not follow {checkpoint.epoch}')


def _check_multi_signature(validators, message, proof):
    """Refuses a multi-signature by less than a quorum, or with one bad signature. Returns the validators that signed."""
    signers = _signers(validators, proof.signers)
    if len(proof.signatures) != len(signers):
        raise Refused('signers', f'{len(proof.signatures)} signatures for {len(signers)} signers')
    if len(signers) < quorum(len(validators)):
        raise Refused('quorum', f'{len(signers)} of {len(validators)} signed, {quorum(len(validators))} are needed')
    for validator, signature in zip(signers, proof.signatures):
        if not is_valid_signature(validator.key, message, signature):
            raise Refused('signature', f'the signature of {validator.name} is not valid')
    return signers


def _signers(validators, bitmap):
    """The validators whose bits are set."""
    if len(bitmap) != (len(validators) + 7) // 8:
        raise Refused('signers', f'a bitmap of {len(bitmap)} bytes for {len(validators)} validators')
    bits = bits_of(bitmap)
    if any(bits[len(validators):]):
        raise Refused('signers', 'a bit for a validator that does not exist')
    return [validator for validator, bit in zip(validators, bits) if bit]
