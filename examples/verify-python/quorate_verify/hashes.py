"""Hashes, sign bytes and ids of docs/formats.md."""

import hashlib

from .layouts import LAYOUTS

EMPTY = bytes(32)  # the hash of an empty subtree

# S6: what a signature is for.
KINDS = {
    'transaction': 1,
    'pre-prepare': 2,
    'prepare': 3,
    'commit': 4,
    'checkpoint': 5,
    'view-change': 6,
    'new-view': 7,
    'status': 8,
    'reply': 9,
    'peer record': 10,
    'ready': 11,
    'validator possession': 12,
    'genesis approval': 13,
    'recovery': 14,
}


def sha256(*parts):
    """SHA-256 of the parts, joined."""
    return hashlib.sha256(b''.join(parts)).digest()


def leaf_hash(content):
    """The hash of a leaf of a tree."""
    return sha256(b'\x00', sha256(content))


def inner_hash(left, right):
    """The hash of the node above two nodes."""
    return sha256(left, right)


def sign_bytes(kind, genesis_id, body):
    """What is signed for `body`: nothing is signed without saying what for, and for which chain."""
    return b'quorate/1' + bytes([KINDS[kind]]) + genesis_id + body


def batch_digest(batch):
    """What PBFT votes for."""
    return sha256(b'batch', LAYOUTS['Batch'].write(batch))


def proposal_id(proposal):
    """The id of a proposal of an organisation."""
    return sha256(b'proposal', LAYOUTS['Proposal'].write(proposal))


def governance_proposal_id(proposal):
    """The id of a proposal of governance."""
    return sha256(b'governance proposal', LAYOUTS['GovernanceProposal'].write(proposal))


def block_hash(header):
    """The hash of a block."""
    return sha256(LAYOUTS['Header'].write(header))


def validators_hash(validators):
    """The hash of a validator set, in its order."""
    return sha256(LAYOUTS['ValidatorSet'].write(validators))
