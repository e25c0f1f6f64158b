#!/usr/bin/env python3
"""Checks this verifier against the test vectors: python3 check_vectors.py ../../test/vectors

Prints the number of cases of each file. Exits with 1 and the name of the case if one comes out differently, and also if the
vectors hold anything that this program does not know.
"""

import json
import sys
from pathlib import Path

from quorate_verify import hashes, jsontext, trees, verify_bundle
from quorate_verify.application import KEY_PARTS, arguments_json, event_json, key_text, row_json
from quorate_verify.certificates import check_certificate
from quorate_verify.codec import Refused, decode, decode_json, from_hex, to_hex
from quorate_verify.ed25519 import failing_step
from quorate_verify.forks import verify_fork_evidence
from quorate_verify.genesis import read_genesis
from quorate_verify.handoffs import check_handoff
from quorate_verify.layouts import LAYOUTS
from quorate_verify.notation import read_type
from quorate_verify.replies import check_replies
from quorate_verify.transactions import check_transaction_signature, read_transaction


class Mismatch(Exception):
    """A case came out differently from what the vectors promise."""


def main():
    if len(sys.argv) != 2:
        print('usage: check_vectors.py DIRECTORY', file=sys.stderr)
        return 2
    paths = sorted(Path(sys.argv[1]).glob('*.json'))
    if not paths:
        print(f'no vectors in {sys.argv[1]}', file=sys.stderr)
        return 2
    failed = 0
    for path in paths:
        try:
            print(f'{path.name:<20}{check_file(path):>5} cases')
        except Mismatch as mismatch:
            print(f'{path.name:<20} MISMATCH {mismatch}')
            failed += 1
    return 1 if failed else 0


def check_file(path):
    """The number of cases in a file, all of which came out as they should."""
    check = CHECKS.get(path.name)
    if check is None:
        raise Mismatch('this file is not known')
    return check(json.loads(path.read_text(encoding='utf-8')))


# What every check is made of.


def expect(found, expected, case):
    """Refuses a result that is not what the vectors promise. `case` names it."""
    if found != expected:
        raise Mismatch(f'{case}: found {found!r}, expected {expected!r}'[:1000])


def known(fields, vectors, case, optional=''):
    """Refuses vectors that lack one of the `fields`, or have one that is not known: it would go unchecked."""
    names = set(vectors)
    missing = set(fields.split()) - names
    unknown = names - set(fields.split()) - set(optional.split())
    if missing or unknown:
        raise Mismatch(f'{case}: missing {sorted(missing)}, not known {sorted(unknown)}')
    return vectors


def outcome(check, *arguments):
    """The step at which `check` refuses its arguments, or `passed`."""
    try:
        check(*arguments)
    except Refused as refused:
        return refused.step
    return 'passed'


def accepted(case, check, *arguments):
    """What `check` returns; it must not refuse."""
    try:
        return check(*arguments)
    except Refused as refused:
        raise Mismatch(f'{case}: refused at {refused.step}: {refused}'[:1000]) from None


def same_json(first, second):
    """Whether two JSON values are equal; for Python also 1 and True are."""
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


# One function a file.


def check_types(cases):
    """Bytes and JSON of each type, and those to refuse: the cases of primitives.json and structures.json."""
    count = 0
    for case in cases:
        known('type good bad', case, 'a case')
        kind = type_of(case['type'])
        for good in case['good']:
            known('bytes json', good, case['type'])
            check_value(kind, good['bytes'], good['json'], case['type'])
        for bad in case['bad']:
            known('name step', bad, case['type'], optional='bytes text')
            expect(outcome(read_case, kind, bad), bad['step'], f"{case['type']}: {bad['name']}")
        count += len(case['good']) + len(case['bad'])
    return count


def type_of(text):
    """The type of a name, or of the notation of docs/formats.md."""
    if text in LAYOUTS:
        return LAYOUTS[text]
    try:
        return read_type(text, LAYOUTS)
    except (KeyError, ValueError, TypeError):
        raise Mismatch(f'the type {text} is not known') from None


def check_value(kind, digits, shown, case):
    """Bytes and JSON say the same, both ways."""
    value = accepted(case, decode, kind, from_hex(digits))
    if not same_json(kind.to_json(value), shown):
        raise Mismatch(f'{case}: {digits} is not {shown}')
    expect(to_hex(kind.write(value)), digits, case)
    expect(to_hex(kind.write(accepted(case, decode_json, kind, shown))), digits, case)


def read_case(kind, case):
    if 'text' in case:
        return decode_json(kind, jsontext.parse(case['text'].encode('utf-8')))
    return decode(kind, from_hex(case['bytes']))


def check_primitives(vectors):
    known('about cases', vectors, 'primitives')
    return check_types(vectors['cases'])


def check_structures(vectors):
    known('about cases hashes', vectors, 'structures')
    count = check_types(vectors['cases'])
    hashed = known('batchDigest blockHash validatorsHash', vectors['hashes'], 'hashes')
    for name, layout, field, result, function in (
        ('batchDigest', 'Batch', 'batch', 'digest', hashes.batch_digest),
        ('blockHash', 'Header', 'header', 'hash', hashes.block_hash),
        ('validatorsHash', 'ValidatorSet', 'set', 'hash', hashes.validators_hash),
    ):
        for case in hashed[name]:
            known(f'{field} {result}', case, name)
            value = accepted(name, decode, LAYOUTS[layout], from_hex(case[field]))
            expect(to_hex(function(value)), case[result], f'{name} of {case[field]}')
        count += len(hashed[name])
    return count


def check_sign_bytes(vectors):
    known('about cases', vectors, 'sign bytes')
    kinds = {camel_case(name): name for name in hashes.KINDS}
    expect(sorted(case['kind'] for case in vectors['cases']), sorted(kinds), 'the kinds')
    for case in vectors['cases']:
        known('kind genesisId body signBytes', case, case['kind'])
        made = hashes.sign_bytes(kinds[case['kind']], from_hex(case['genesisId']), from_hex(case['body']))
        expect(to_hex(made), case['signBytes'], case['kind'])
    return len(vectors['cases'])


def camel_case(name):
    """`pre-prepare` as the vectors write it: `prePrepare`."""
    first, *others = name.replace('-', ' ').split()
    return first + ''.join(word.capitalize() for word in others)


def check_signatures(vectors):
    known('about cases', vectors, 'signatures')
    for case in vectors['cases']:
        known('name publicKey message signature valid step', case, case['name'])
        step = failing_step(from_hex(case['publicKey']), from_hex(case['message']), from_hex(case['signature']))
        expect(step is None, case['valid'], case['name'])
        expect(step or 0, case['step'], case['name'])
    return len(vectors['cases'])


def check_transactions(vectors):
    known('about genesisId good bad', vectors, 'transactions')
    genesis_id = from_hex(vectors['genesisId'])
    for case in vectors['good']:
        known('bytes body signBytes id signature', case, 'a transaction')
        transaction = accepted(case['id'], read_transaction, genesis_id, from_hex(case['bytes']))
        if not same_json(LAYOUTS['TransactionBody'].to_json(transaction.body), case['body']):
            raise Mismatch(f"another body: {case['bytes']}")
        for found, field in (
            (transaction.id, 'id'),
            (transaction.sign_bytes, 'signBytes'),
            (transaction.signature, 'signature'),
        ):
            expect(to_hex(found), case[field], f"{field} of {case['bytes']}")
        accepted(case['id'], check_transaction_signature, transaction)
    for case in vectors['bad']:
        known('name step bytes', case, case['name'])
        expect(outcome(accept_transaction, genesis_id, from_hex(case['bytes'])), case['step'], case['name'])
    return len(vectors['good']) + len(vectors['bad'])


def accept_transaction(genesis_id, data):
    check_transaction_signature(read_transaction(genesis_id, data))


def check_list_tree(vectors):
    known('about leaf roots good bad', vectors, 'list tree')
    leaf = known('content hash', vectors['leaf'], 'leaf')
    expect(to_hex(hashes.leaf_hash(from_hex(leaf['content']))), leaf['hash'], 'leaf')
    for case in vectors['roots']:
        known('count root', case, 'a root')
        items = [f'item {index}'.encode() for index in range(case['count'])]
        expect(to_hex(trees.list_root(items)), case['root'], f"root of {case['count']}")
    for case in vectors['good']:
        known('root count index content siblings', case, 'a proof')
        expect(list_proof_outcome(case), 'passed', f"{case['index']} of {case['count']}")
    for case in vectors['bad']:
        known('name step root count index content siblings', case, case['name'])
        expect(list_proof_outcome(case), case['step'], case['name'])
    return 1 + len(vectors['roots']) + len(vectors['good']) + len(vectors['bad'])


def list_proof_outcome(case):
    siblings = [from_hex(sibling) for sibling in case['siblings']]
    root, content = from_hex(case['root']), from_hex(case['content'])
    return outcome(trees.check_list_proof, root, content, case['index'], case['count'], siblings)


def check_history(vectors):
    known('about roots', vectors, 'history')
    for case in vectors['roots']:
        known('count root', case, 'a root', optional='peaks')
        blocks = [hashes.sha256(f'block {height}'.encode()) for height in range(case['count'])]
        peaks = trees.history_peaks(blocks)
        name = f"history of {case['count']} blocks"
        expect([to_hex(peak) for peak in peaks], case.get('peaks', []), name)
        expect(to_hex(trees.history_root(case['count'], peaks)), case['root'], name)
        expect(to_hex(trees.list_root(blocks)), case['root'], name)
    return len(vectors['roots'])


def check_state_tree(vectors):
    known('about rows roots root good bad', vectors, 'state tree')
    rows = [check_row(case) for case in vectors['rows']]
    for case in vectors['roots']:
        known('rows root', case, 'a root')
        expect(to_hex(trees.state_root(rows[:case['rows']])), case['root'], f"root of {case['rows']} rows")
    root = from_hex(vectors['root'])
    for case in vectors['good']:
        known('table key value proof', case, 'a proof')
        expect(state_proof_outcome(root, case), 'passed', f"{case['table']} {case['key']}")
    for case in vectors['bad']:
        known('name step table key value proof', case, case['name'])
        expect(state_proof_outcome(root, case), case['step'], case['name'])
    return sum(len(vectors[part]) for part in ('rows', 'roots', 'good', 'bad'))


def check_row(case):
    known('table key value path leaf', case, 'a row')
    table, key, value = case['table'], from_hex(case['key']), from_hex(case['value'])
    path = trees.state_path(table, key)
    expect(to_hex(path), case['path'], f"path of {case['key']}")
    expect(to_hex(trees.state_leaf(path, hashes.sha256(value))), case['leaf'], f"leaf of {case['key']}")
    return table, key, value


def state_proof_outcome(root, case):
    value = None if case['value'] is None else from_hex(case['value'])
    proof = accepted(case, decode_json, LAYOUTS['StateProof'], case['proof'])
    return outcome(trees.check_state_proof, root, case['table'], from_hex(case['key']), value, proof)


def check_application(vectors):
    known('about rows arguments events proposals decisions bad', vectors, 'application')
    for case in vectors['rows']:
        table, key = case['table'], from_hex(case['key'])
        known('table keyText key path json bytes', case, table)
        check_shown(table, case)
        expect(accepted(table, key_text, table, key), case['keyText'], f'key of {table}')
        expect(to_hex(trees.state_path(table, key)), case['path'], f'path of {table}')
    for case in vectors['arguments']:
        known('module action json bytes', case, 'arguments')
        check_shown(f"{case['module']}.{case['action']}", case)
    for case in vectors['events']:
        known('module name json bytes', case, 'an event')
        check_shown(f"event {case['module']}.{case['name']}", case)
    for part, name, id_of in (
        ('proposals', 'Proposal', hashes.proposal_id),
        ('decisions', 'GovernanceProposal', hashes.governance_proposal_id),
    ):
        for case in vectors[part]:
            known('json bytes id', case, name)
            check_value(LAYOUTS[name], case['bytes'], case['json'], name)
            proposal = decode(LAYOUTS[name], from_hex(case['bytes']))
            expect(to_hex(id_of(proposal)), case['id'], f'id of a {name}')
    for case in vectors['bad']:
        known('of step name bytes', case, case['name'])
        expect(outcome(show, case['of'], from_hex(case['bytes'])), case['step'], f"{case['of']}: {case['name']}")
    return sum(len(vectors[part]) for part in ('rows', 'arguments', 'events', 'proposals', 'decisions', 'bad'))


def check_shown(name, case):
    check_value(type_of(name), case['bytes'], case['json'], name)
    expect(accepted(name, show, name, from_hex(case['bytes'])), case['json'], name)


def show(name, data):
    """Reads a row (`module.table`), arguments (`module.action`) or an event (`event module.name`)."""
    if name in KEY_PARTS:
        return row_json(name, data)
    module, item = name.replace('event ', '').split('.')
    return event_json(module, item, data) if name.startswith('event ') else arguments_json(module, item, data)


def check_genesis(vectors):
    known('about good bad', vectors, 'genesis')
    for case in vectors['good']:
        known('text id', case, 'a genesis file')
        genesis = accepted(case['id'], read_genesis, case['text'].encode('utf-8'))
        expect(to_hex(genesis.id), case['id'], 'a genesis file')
    for case in vectors['bad']:
        known('name code text', case, case['name'], optional='times')
        data = case['text'].encode('utf-8') * case.get('times', 1)
        expect(outcome(read_genesis, data), case['code'], case['name'])
    return len(vectors['good']) + len(vectors['bad'])


def check_certificates(vectors):
    known('about cases', vectors, 'certificates')
    return sum(check_certificates_of(group) for group in vectors['cases'])


def check_certificates_of(group):
    """The certificates that one trusted epoch and validator set judges."""
    known('trust good bad', group, 'certificates')
    genesis_id, epoch, validators = trust_of(group)
    for case in group['good']:
        known('bytes signBytes signers', case, 'a certificate')
        certificate = accepted('a certificate', decode, LAYOUTS['Certificate'], from_hex(case['bytes']))
        checkpoint = LAYOUTS['Checkpoint'].write(certificate.checkpoint)
        expect(to_hex(hashes.sign_bytes('checkpoint', genesis_id, checkpoint)), case['signBytes'], case['bytes'])
        signers = accepted(case['bytes'], check_certificate, genesis_id, epoch, validators, certificate)
        expect([validators.index(signer) for signer in signers], case['signers'], case['bytes'])
    for case in group['bad']:
        known('name step bytes', case, case['name'])
        certificate = accepted(case['name'], decode, LAYOUTS['Certificate'], from_hex(case['bytes']))
        found = outcome(check_certificate, genesis_id, epoch, validators, certificate)
        expect(found, case['step'], f"{case['name']} ({len(validators)} validators)")
    return len(group['good']) + len(group['bad'])


def trust_of(vectors):
    """The genesis id, epoch and validator set that judge the cases."""
    trust = known('genesisId epoch validators', vectors['trust'], 'trust')
    validators = accepted('trust', decode_json, LAYOUTS['ValidatorSet'], trust['validators'])
    return from_hex(trust['genesisId']), trust['epoch'], validators


def check_handoffs(vectors):
    known('about trust good bad', vectors, 'hand-offs')
    trust = trust_of(vectors)
    for case in vectors['good']:
        known('bytes json', case, 'a hand-off')
        check_value(LAYOUTS['Handoff'], case['bytes'], case['json'], 'a hand-off')
        handoff = decode(LAYOUTS['Handoff'], from_hex(case['bytes']))
        expect(accepted('a hand-off', check_handoff, *trust, handoff), handoff.next, 'the next set')
    for case in vectors['bad']:
        known('name step bytes', case, case['name'])
        handoff = accepted(case['name'], decode, LAYOUTS['Handoff'], from_hex(case['bytes']))
        expect(outcome(check_handoff, *trust, handoff), case['step'], case['name'])
    return len(vectors['good']) + len(vectors['bad'])


def check_replies_file(vectors):
    known('about trust id signBytes good bad', vectors, 'replies')
    trust, transaction_id = trust_of(vectors), from_hex(vectors['id'])
    for case in vectors['good']:
        known('name replies signers reply', case, case['name'])
        reply, signers = accepted(case['name'], check_replies, *trust, transaction_id, replies_of(case))
        expect(signers, case['signers'], case['name'])
        expect(same_json(LAYOUTS['Reply'].to_json(reply), case['reply']), True, case['name'])
        if case['name'] == 'f+1 the same':
            signed = hashes.sign_bytes('reply', trust[0], LAYOUTS['Reply'].write(reply))
            expect(to_hex(signed), vectors['signBytes'], 'sign bytes of a reply')
    for case in vectors['bad']:
        known('name step replies', case, case['name'])
        expect(outcome(check_replies, *trust, transaction_id, replies_of(case)), case['step'], case['name'])
    return len(vectors['good']) + len(vectors['bad'])


def replies_of(case):
    return [accepted(case['name'], decode, LAYOUTS['SignedReply'], from_hex(one)) for one in case['replies']]


def check_forks(vectors):
    known('about genesis good bad', vectors, 'forks')
    genesis = vectors['genesis'].encode('utf-8')
    for case in vectors['good']:
        known('name bytes json culprits', case, case['name'])
        for data in [from_hex(case['bytes'])] + texts_of(case):
            report = verify_fork_evidence(genesis, data)
            expect(report.failed, None, case['name'])
            expect([validator.name for validator in report.culprits], case['culprits'], case['name'])
    for case in vectors['bad']:
        known('name step bytes', case, case['name'])
        expect(verify_fork_evidence(genesis, from_hex(case['bytes'])).failed, case['step'], case['name'])
    return len(vectors['good']) + len(vectors['bad'])


def check_bundles(vectors):
    known('about genesis good bad', vectors, 'bundles')
    for case in vectors['good']:
        known('name bytes', case, case['name'], optional='json nowMs maxAgeMs')
        expect(bundle_outcome(from_hex(case['bytes']), case, vectors), 'passed', case['name'])
        for text in texts_of(case):
            expect(bundle_outcome(text, case, vectors), 'passed', f"{case['name']} as JSON")
    for case in vectors['bad']:
        known('name step', case, case['name'], optional='bytes text genesis nowMs maxAgeMs')
        data = case['text'].encode('utf-8') if 'text' in case else from_hex(case['bytes'])
        expect(bundle_outcome(data, case, vectors), case['step'], case['name'])
    return len(vectors['good']) + len(vectors['bad'])


def texts_of(case):
    """The four JSON texts of a bundle, if the case has its JSON."""
    if 'json' not in case:
        return []
    prints = [jsontext.print_on_one_line(case['json']), jsontext.print_indented(case['json'])]
    return prints + [text + b'\n' for text in prints]


def bundle_outcome(data, case, vectors):
    """The name of the step that fails, or `passed`."""
    genesis = case.get('genesis', vectors['genesis']).encode('utf-8')
    oldest = case['nowMs'] - case['maxAgeMs'] if 'maxAgeMs' in case else None
    report = verify_bundle(genesis, data, oldest_ms=oldest)
    failed = [step.name for step in report.steps if step.status == 'failed']
    return failed[0] if failed else 'passed'


CHECKS = {
    'primitives.json': check_primitives,
    'structures.json': check_structures,
    'sign-bytes.json': check_sign_bytes,
    'signatures.json': check_signatures,
    'transactions.json': check_transactions,
    'list-tree.json': check_list_tree,
    'history.json': check_history,
    'state-tree.json': check_state_tree,
    'application.json': check_application,
    'genesis.json': check_genesis,
    'certificates.json': check_certificates,
    'handoffs.json': check_handoffs,
    'replies.json': check_replies_file,
    'forks.json': check_forks,
    'bundles.json': check_bundles,
}

if __name__ == '__main__':
    sys.exit(main())
