"""Verifies a proof bundle with a genesis file and nothing else: the steps of docs/formats.md, section "Proof bundles".

Each step is a function that takes the `Case`, returns one line of detail, and raises `Refused` if the step fails. The first
that fails ends the verification. To verify another kind of fact, add its steps to `STEPS_OF_FACT`, and what it shows to
`SHOWN` in facts.py.
"""

from types import SimpleNamespace

from . import jsontext
from .certificates import check_certificate
from .codec import Refused, to_hex
from .facts import facts_of
from .genesis import read_genesis
from .handoffs import follow_handoffs
from .hashes import block_hash
from .layouts import LAYOUTS
from .transactions import check_transaction_signature, read_transaction
from .trees import check_list_proof, check_state_proof

# The format allows larger ones, of very many hand-offs between very many validators.
MAX_BUNDLE_BYTES = 16 * 1024 * 1024
# Details repeat parts of the input.
MAX_DETAIL = 300


def verify_bundle(genesis_file, bundle_file, oldest_ms=None):
    """Verifies a bundle (canonical or JSON) with a genesis file; both as bytes.

    `oldest_ms`: refuse a certificate with a time below this, in milliseconds since 1970.

    Returns a report with `ok`, `steps` (each with `name`, `status`: passed, failed or not-reached, and `detail`) and `facts`:
    what was proven, None unless `ok`; and `genesis`, None if it is not sound. Bad input of any kind makes a step fail and
    raises nothing.

    Compare the facts with what you asked for: a bundle may prove something else.
    """
    case = Case(genesis_file, bundle_file, oldest_ms)
    steps = _take_steps(STEPS, case, failed=False)
    if case.bundle is not None:  # only then is it known which steps follow
        steps += _take_steps(STEPS_OF_FACT[case.bundle.fact.kind], case, failed=steps[-1].status != 'passed')
    ok = all(step.status == 'passed' for step in steps)
    return SimpleNamespace(ok=ok, steps=steps, genesis=case.genesis, facts=facts_of(case) if ok else None)


class Case:
    """What is to be verified, and what the steps have found so far."""

    def __init__(self, genesis_file, bundle_file, oldest_ms):
        self.genesis_file = genesis_file
        self.bundle_file = bundle_file
        self.oldest_ms = oldest_ms
        self.genesis = None
        self.bundle = None
        self.epoch = None  # that is trusted
        self.validators = None  # of this epoch
        self.signers = None
        self.transaction = None

    @property
    def checkpoint(self):
        return self.bundle.certificate.checkpoint

    @property
    def fact(self):
        return self.bundle.fact.value


def _take_steps(steps, case, failed):
    """Takes the steps up to the first that fails; none if one `failed` before."""
    taken = []
    for name, check in steps:
        status, detail = ('not-reached', '') if failed else _take(check, case)
        failed = status != 'passed'
        taken.append(SimpleNamespace(name=name, status=status, detail=detail))
    return taken


def _take(check, case):
    try:
        return 'passed', check(case)
    except Refused as refused:
        return 'failed', str(refused)[:MAX_DETAIL]


def check_genesis(case):
    case.genesis = read_genesis(case.genesis_file)
    return f'chain {case.genesis.file.chain}, {len(case.genesis.validators)} validators, id {to_hex(case.genesis.id)}'


def check_format(case):
    case.bundle = read_bundle(case.bundle_file)
    kind = case.bundle.fact.kind
    return 'a proof about ' + ('a row of the state' if kind == 'state' else f'a {kind}')


def check_chain(case):
    if case.bundle.genesisId != case.genesis.id:
        raise Refused('chain', f'the proof is of chain {to_hex(case.bundle.genesisId)}')
    return 'the proof is of the chain of this genesis file'


def check_epochs(case):
    """Follows the hand-offs from the validators of genesis to those that certify the fact."""
    found = follow_handoffs(case.genesis.id, case.genesis.validators, case.bundle.handoffs)
    case.epoch, case.validators = found
    return f'{len(case.bundle.handoffs)} hand-offs lead to epoch {case.epoch} with {len(case.validators)} validators'


def check_final_certificate(case):
    case.signers = check_certificate(case.genesis.id, case.epoch, case.validators, case.bundle.certificate)
    time = case.checkpoint.timestamp
    if case.oldest_ms is not None and time < case.oldest_ms:
        raise Refused('certificate', f'it is {case.oldest_ms - time} ms too old')
    return f'height {case.checkpoint.height}, signed by {len(case.signers)} of {len(case.validators)}'


def check_block(case):
    height = case.fact.header.height
    certified = case.checkpoint.height
    if height > certified:
        raise Refused('block', f'block {height} is above the certified height {certified}')
    block = block_hash(case.fact.header)
    check_list_proof(case.checkpoint.historyRoot, block, height, certified + 1, case.fact.historyProof)
    return f'block {height} is in the certified history'


def check_transaction(case):
    header, index = case.fact.header, case.fact.index
    case.transaction = read_transaction(case.genesis.id, case.fact.transaction)
    transaction = case.transaction.id
    check_list_proof(header.transactionsRoot, transaction, index, header.count, case.fact.transactionProof)
    return f'{to_hex(transaction)} is number {index} of {header.count} in block {header.height}'


def check_signature(case):
    check_transaction_signature(case.transaction)
    return f'signed by {to_hex(case.transaction.body.sender)}'


def check_receipt(case):
    header, receipt = case.fact.header, case.fact.receipt
    if receipt.id != case.transaction.id:
        raise Refused('receipt', f'the receipt is of {to_hex(receipt.id)}')
    encoded = LAYOUTS['Receipt'].write(receipt)
    check_list_proof(header.receiptsRoot, encoded, case.fact.index, header.count, case.fact.receiptProof)
    return 'ok: it took effect' if receipt.status == 'ok' else f'failed ({receipt.code}): it changed nothing'


def check_state(case):
    fact = case.fact
    value = fact.value.value if fact.value.kind == 'present' else None
    check_state_proof(case.checkpoint.stateRoot, fact.table, fact.key, value, fact.proof)
    return f'the row is {fact.value.kind} at height {case.checkpoint.height}'


STEPS = [
    ('genesis', check_genesis),
    ('format', check_format),
    ('chain', check_chain),
    ('epochs', check_epochs),
    ('certificate', check_final_certificate),
]

STEPS_OF_FACT = {
    'transaction': [
        ('block', check_block),
        ('transaction', check_transaction),
        ('signature', check_signature),
        ('receipt', check_receipt),
    ],
    'block': [('block', check_block)],
    'state': [('state', check_state)],
}


def read_bundle(data):
    """The Bundle that the bytes are. Raises Refused."""
    return jsontext.read_as(LAYOUTS['Bundle'], data, MAX_BUNDLE_BYTES, 'proof')
