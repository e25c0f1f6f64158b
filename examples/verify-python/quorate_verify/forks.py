"""Fork evidence of docs/formats.md: two certificates that can't both be of one chain, and who signed both."""

from types import SimpleNamespace

from . import jsontext
from .certificates import check_certificate
from .codec import Refused
from .genesis import read_genesis
from .handoffs import follow_handoffs
from .layouts import LAYOUTS
from .trees import check_list_proof

MAX_EVIDENCE_BYTES = 16 * 1024 * 1024


def verify_fork_evidence(genesis_file, evidence_file):
    """Verifies fork evidence with a genesis file; both as bytes.

    Returns a report with `ok`, `failed` (the name of the step, or None), `detail`, and `culprits`: the validators that signed
    both, None unless `ok`. Bad input of any kind makes a step fail and raises nothing.
    """
    steps = _steps(genesis_file, evidence_file)
    name = next(steps)
    try:
        for name in steps:
            pass
    except Refused as refused:
        return SimpleNamespace(ok=False, failed=name, detail=str(refused)[:300], culprits=None)
    return SimpleNamespace(ok=True, failed=None, detail='', culprits=name)


def _steps(genesis_file, evidence_file):
    """Gives the name of each step before it is taken, and at last the culprits."""
    yield 'genesis'
    genesis = read_genesis(genesis_file)
    yield 'format'
    evidence = read_evidence(evidence_file)
    yield 'chain'
    if evidence.genesisId != genesis.id:
        raise Refused('chain', 'the evidence is of another chain')
    yield 'epochs'
    epoch, validators = follow_handoffs(genesis.id, genesis.validators, evidence.handoffs)
    yield 'first'
    first = check_certificate(genesis.id, epoch, validators, evidence.first)
    yield 'second'
    second = check_certificate(genesis.id, epoch, validators, evidence.second)
    yield 'conflict'
    check_conflict(evidence.first.checkpoint, evidence.second.checkpoint, evidence.conflict)
    yield [validator for validator in first if validator in second]


def check_conflict(first, second, conflict):
    """Refuses two checkpoints of one epoch that can both be of one chain."""
    if conflict.kind == 'sameHeight':
        if first.height != second.height:
            raise Refused('conflict', f'heights {first.height} and {second.height} differ')
        if first == second:
            raise Refused('conflict', 'both certify the same')
        return
    if second.height <= first.height:
        raise Refused('conflict', f'height {second.height} is not above {first.height}')
    if conflict.kind == 'afterEnd':
        if first.nextEpoch != first.epoch + 1:
            raise Refused('conflict', f'height {first.height} ends no epoch')
        return
    shown = conflict.value
    if shown.blockHash == first.blockHash:
        raise Refused('conflict', 'it is the same block')
    check_list_proof(second.historyRoot, shown.blockHash, first.height, second.height + 1, shown.historyProof)


def read_evidence(data):
    """The ForkEvidence that the bytes are. Raises Refused."""
    return jsontext.read_as(LAYOUTS['ForkEvidence'], data, MAX_EVIDENCE_BYTES, 'evidence')
