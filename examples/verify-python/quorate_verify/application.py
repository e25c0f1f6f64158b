"""The built-in modules of docs/formats.md: what their rows, arguments and events say.

No step of a verification needs this: a proof is about bytes. It shows people what the bytes mean.
"""

import re

from .codec import Refused, decode, to_hex
from .genesis import NAME
from .layouts import LAYOUTS

ASSET = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]*')

# The parts of a table's key: a number of bytes, or text to the end.
KEY_PARTS = {
    'members.organisations': ['text'],
    'members.expelled': ['text'],
    'members.accounts': [32],
    'members.administrators': [32],
    'members.names': [32, 'text'],
    'members.keys': [32],
    'members.proposals': [32],
    'members.history': [32, 8],
    'governance.epoch': ['text'],
    'governance.parameters': ['text'],
    'governance.validators': ['text'],
    'governance.summary': ['text'],
    'governance.keys': [32],
    'governance.guests': [32],
    'governance.limits': ['text'],
    'governance.proposals': [32],
    'governance.history': [8],
    'governance.recoveries': [8],
    'assets.definitions': ['text'],
    'assets.balances': [32, 'text'],
    'records.entries': ['text'],
}


def key_text(table, key):
    """The key of a row as URLs and the command line write it: parts joined by `:`, bytes as `0x…`."""
    if table not in KEY_PARTS:
        raise Refused('unknown', f'no built-in module has {table}')
    shown = []
    rest = key
    for part in KEY_PARTS[table]:
        size = len(rest) if part == 'text' else part
        shown.append(_text(rest) if part == 'text' else to_hex(rest[:size]))
        rest = rest[size:]
    return ':'.join(shown)


def row_json(table, value):
    """The value of a row."""
    return _json(table, value)


def arguments_json(module, action, arguments):
    """The arguments of a call."""
    return _json(f'{module}.{action}', arguments)


def event_json(module, name, data):
    """The data of an event."""
    return _json(f'event {module}.{name}', data)


def _json(layout_name, data):
    layout = LAYOUTS.get(layout_name)
    if layout is None:
        raise Refused('unknown', f'no built-in module has {layout_name}')
    json = layout.to_json(decode(layout, data))
    if 'asset' in json and ASSET.fullmatch(json['asset']) is None:
        raise Refused('match', 'not the name of an asset')
    if layout_name in ('members.approve', 'governance.approve'):
        _check_change(json['change'])
    return json


def _check_change(change):
    """Names are as in a genesis file, and nothing occurs twice."""
    parts = {**change['value'], **change['value'].get('administration', {})}
    added = parts.get('add', [])
    names = [part[of] for part in (parts, *added) for of in ('name', 'organisation', 'role') if of in part]
    for name in [*names, *parts.get('roles', [])]:
        if NAME.fullmatch(name) is None:
            raise Refused('match', 'not a name')
    keys = [*parts.get('remove', []), *(one[of] for one in added for of in ('key', 'peerKey'))]
    added_names = [one['name'] for one in added]
    for several in (parts.get('roles', []), parts.get('administrators', []), keys, added_names):
        if len(set(several)) != len(several):
            raise Refused('match', 'one occurs twice')
    if 'threshold' in parts and not 1 <= parts['threshold'] <= len(parts['administrators']):
        raise Refused('match', 'the threshold is not 1 to the number of administrators')
    if 0 in parts.get('limits', {}).get('value', {}).values():
        raise Refused('match', 'a limit is 0')


def _text(data):
    try:
        return data.decode('utf-8')
    except UnicodeDecodeError:
        raise Refused('decode', 'not well-formed UTF-8') from None
