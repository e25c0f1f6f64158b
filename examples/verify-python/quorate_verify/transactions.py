"""Transactions of docs/formats.md: a body, and a signature in the last 64 bytes."""

from types import SimpleNamespace

from .codec import Refused, decode, to_hex
from .ed25519 import is_valid_signature
from .hashes import sha256, sign_bytes
from .layouts import LAYOUTS

MAX_TRANSACTION_BYTES = 65536
SIGNATURE_BYTES = 64


def read_transaction(genesis_id, data):
    """What an encoded transaction is: `body`, `signature`, `sign_bytes` and `id`. The signature is not checked here."""
    if not SIGNATURE_BYTES <= len(data) <= MAX_TRANSACTION_BYTES:
        raise Refused('decode', f'{len(data)} bytes are no transaction')
    body_bytes, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
    body = decode(LAYOUTS['TransactionBody'], body_bytes)
    signed = sign_bytes('transaction', genesis_id, body_bytes)
    return SimpleNamespace(body=body, signature=signature, sign_bytes=signed, id=sha256(signed))


def check_transaction_signature(transaction):
    """Refuses a transaction that its sender did not sign."""
    if not is_valid_signature(transaction.body.sender, transaction.sign_bytes, transaction.signature):
        raise Refused('signature', f'not signed by {to_hex(transaction.body.sender)}')
