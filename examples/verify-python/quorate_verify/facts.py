"""What a verified bundle shows: who signed, when, what. As JSON, the same as `quorate verify --json` prints, and for people."""

import json
from datetime import datetime, timedelta, timezone

from .application import arguments_json, key_text, row_json
from .codec import Refused, from_hex, to_hex
from .hashes import block_hash
from .layouts import LAYOUTS

BUILT_IN = 'quorate'  # the application whose rows and arguments can be shown decoded
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def facts_of(case):
    """The facts of a case whose steps have all passed. Bytes are hex, times milliseconds since 1970."""
    facts = {
        'chain': case.genesis.file.chain,
        'genesisId': to_hex(case.genesis.id),
        'signedBy': [validator.name for validator in case.signers],
        'validators': len(case.validators),
        'certified': {
            'height': case.checkpoint.height,
            'time': case.checkpoint.timestamp,
            'epoch': case.checkpoint.epoch,
        },
        # A proof with one is refused here.
        'recoveries': [],
    }
    facts.update(SHOWN[case.bundle.fact.kind](case))
    return facts


def _block(case):
    header = case.fact.header
    block = {'height': header.height, 'time': header.timestamp, 'hash': to_hex(block_hash(header))}
    return {'block': {**block, 'header': LAYOUTS['Header'].to_json(header)}}


def _transaction(case):
    transaction = {
        'id': to_hex(case.transaction.id),
        'sender': to_hex(case.transaction.body.sender),
        'calls': [LAYOUTS['Call'].to_json(call) for call in case.transaction.body.calls],
        'receipt': LAYOUTS['Receipt'].to_json(case.fact.receipt),
    }
    return {**_block(case), 'transaction': transaction}


def _state(case):
    fact = case.fact
    state = {'table': fact.table, 'key': to_hex(fact.key)}
    if fact.value.kind == 'present':
        state['value'] = to_hex(fact.value.value)
    return {'state': state}


SHOWN = {'transaction': _transaction, 'block': _block, 'state': _state}


def lines_of(facts, application):
    """The facts for people, one a line. `application`: that of the genesis file, which says what arguments mean."""
    lines = []
    if 'block' in facts:
        lines.append(f"when     block {facts['block']['height']}, {time_text(facts['block']['time'])}")
    if 'transaction' in facts:
        lines += _transaction_lines(facts['transaction'], application)
    if 'state' in facts:
        lines += _state_lines(facts['state'], application)
    certified = facts['certified']
    lines.append(f"final    at height {certified['height']}, {time_text(certified['time'])}")
    lines.append(f"by       {', '.join(facts['signedBy'])} ({len(facts['signedBy'])} of {facts['validators']})")
    return lines


def _transaction_lines(transaction, application):
    lines = []
    for call in transaction['calls']:
        module, action, arguments = call['module'], call['action'], from_hex(call['args'])
        shown = _shown(application, arguments, lambda: arguments_json(module, action, arguments))
        lines.append(f'what     {module}.{action} {shown}')
    lines.append(f"who      {transaction['sender']}")
    receipt = transaction['receipt']
    outcome = 'ok' if receipt['status'] == 'ok' else f"failed ({receipt['code']}): it changed nothing"
    lines.append(f'outcome  {outcome}')
    lines.append(f"id       {transaction['id']}")
    return lines


def _state_lines(state, application):
    table, key = state['table'], from_hex(state['key'])
    row = f'{table} {_shown(application, key, lambda: key_text(table, key))}'
    if 'value' not in state:
        return [f'what     {row} does not exist']
    value = from_hex(state['value'])
    return [f'what     {row} is {_shown(application, value, lambda: row_json(table, value))}']


def _shown(application, data, read):
    """What `read` makes of `data`, or hex if the built-in modules do not say what it is."""
    if application == BUILT_IN:
        try:
            return json.dumps(read(), ensure_ascii=False)
        except Refused:
            pass
    return to_hex(data)


def time_text(milliseconds):
    """A time of the chain for people."""
    try:
        time = EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:  # after the year 9999
        return f'{milliseconds} ms since 1970'
    return time.strftime('%Y-%m-%dT%H:%M:%S') + f'.{milliseconds % 1000:03}Z'
