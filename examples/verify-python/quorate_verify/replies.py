"""Signed replies of docs/formats.md: what f+1 validators of a trusted set say about a transaction."""

from .codec import Refused
from .ed25519 import is_valid_signature
from .hashes import sign_bytes
from .layouts import LAYOUTS


def check_replies(genesis_id, epoch, validators, transaction_id, replies):
    """What enough validators say in the same words; refuses less. Returns the reply and the indexes of who says it.

    The epoch and set must be those of now, known by a fresh certificate: f+1 of an old set prove nothing.
    """
    groups = {}  # by the bytes that were signed
    for signed in replies:
        reply, sender = signed.reply, signed.sender
        if sender >= len(validators) or reply.epoch != epoch or reply.id != transaction_id:
            continue
        message = sign_bytes('reply', genesis_id, LAYOUTS['Reply'].write(reply))
        if is_valid_signature(validators[sender].key, message, signed.signature):
            groups.setdefault(message, (reply, set()))[1].add(sender)
    reply, senders = max(groups.values(), key=lambda group: len(group[1]), default=(None, set()))
    needed = (len(validators) - 1) // 3 + 1
    if len(senders) < needed:
        raise Refused('enough', f'{len(senders)} of {len(validators)} say the same, {needed} are needed')
    return reply, sorted(senders)
