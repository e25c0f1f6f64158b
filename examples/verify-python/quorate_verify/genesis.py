"""The genesis file: what must hold of it before anything is trusted."""

import re
from types import SimpleNamespace

from . import jsontext
from .certificates import quorum
from .codec import Refused, decode_json, to_hex
from .ed25519 import is_valid_public_key, is_valid_signature
from .hashes import sha256, sign_bytes
from .layouts import LAYOUTS

MAX_GENESIS_BYTES = 1048576
MAX_TIME = 253402300799999
MAX_NEW_VIEW_BYTES = 8387584

INVISIBLE = (
    '\u0000-\u0020\u007f-\u00a0\u00ad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff9-\ufffb'
    '\U000e0000-\U000e007f'
)
NAME = re.compile(f'[^{INVISIBLE}]+( [^{INVISIBLE}]+)*')
ADDRESS = re.compile(r'(/[A-Za-z0-9._~%:+=-]+)+')


def read_genesis(data):
    """What the bytes of a genesis file say: `id`, `file` and `validators`, the set of epoch 0. Else it is refused with a code."""
    if len(data) > MAX_GENESIS_BYTES:
        raise Refused('too-large', f'more than {MAX_GENESIS_BYTES} bytes')
    file = _read_file(data)
    # The order decides which code a file with several faults gets.
    _check_names(file)
    _check_roles(file)
    _check_organisations_are_known(file)
    _check_roles_are_allowed(file)
    _check_thresholds(file)
    _check_keys_are_different(file)
    _check_keys(file)
    _check_addresses(file)
    _check_time(file)
    if file.recovery != 0 and not 67 <= file.recovery <= 100:
        raise Refused('bad-recovery', f'recovery {file.recovery} is neither 0 nor 67 to 100')
    _check_parameters(file.parameters, len(file.validators))
    _check_possession(file)
    return SimpleNamespace(id=sha256(data), file=file, validators=file.validators)


def _read_file(data):
    json = jsontext.parse(data)
    try:
        file = decode_json(LAYOUTS['GenesisFile'], json)
    except Refused as refused:
        raise Refused('bad-form', str(refused)) from None
    if data != jsontext.print_indented(LAYOUTS['GenesisFile'].to_json(file)) + b'\n':
        raise Refused('not-canonical', 'not the print of its value')
    return file


def _check_name(what, name):
    if NAME.fullmatch(name) is None:
        raise Refused('bad-name', f'{what} {name!r} is no name')


def _check_different(what, values):
    """Refuses a value that occurs twice. Names the kind of value only: keys are long."""
    if len(set(values)) != len(values):
        raise Refused('duplicate', f'one {what} occurs twice')


def _check_names(file):
    _check_name('chain', file.chain)
    for what, items in (
        ('organisation', file.organisations),
        ('validator', file.validators),
        ('account', file.accounts),
    ):
        _check_different(f'{what} name', [item.name for item in items])
        for item in items:
            _check_name(what, item.name)


def _check_roles(file):
    for item in file.organisations + file.accounts:
        _check_different(f'role of {item.name}', item.roles)
        for role in item.roles:
            _check_name('role', role)


def _check_organisations_are_known(file):
    known = {organisation.name for organisation in file.organisations}
    for member in file.validators + file.accounts:
        if member.organisation not in known:
            raise Refused('unknown-organisation', f'{member.name} is of {member.organisation}, which is not there')


def _check_roles_are_allowed(file):
    given = {organisation.name: organisation.roles for organisation in file.organisations}
    for account in file.accounts:
        for role in account.roles:
            if role not in given[account.organisation]:
                raise Refused('role-not-allowed', f'{account.organisation} may not give {account.name} the role {role}')


def _check_thresholds(file):
    for organisation in file.organisations:
        if not 1 <= organisation.threshold <= len(organisation.administrators):
            raise Refused(
                'bad-threshold',
                f'{organisation.name}: {organisation.threshold} of {len(organisation.administrators)} administrators',
            )


def _check_keys_are_different(file):
    """Only one key may stand twice: that of an administrator who is also an account."""
    of_validators = [key for validator in file.validators for key in (validator.key, validator.peerKey)]
    of_accounts = [account.key for account in file.accounts]
    of_administrators = _administrators(file)
    _check_different('administrator', of_administrators)
    _check_different('key of an account', of_accounts)
    _check_different('key of a validator', of_validators)
    if set(of_validators) & set(of_accounts + of_administrators):
        raise Refused('duplicate', 'the key of a validator is also that of an account or administrator')


def _check_keys(file):
    of_validators = [key for validator in file.validators for key in (validator.key, validator.peerKey)]
    of_accounts = [account.key for account in file.accounts]
    for key in of_validators + _administrators(file) + of_accounts:
        if not is_valid_public_key(key):
            raise Refused('bad-key', f'{to_hex(key)} is not canonical, of small order, or no point of the curve')


def _administrators(file):
    return [key for organisation in file.organisations for key in organisation.administrators]


def _check_addresses(file):
    for validator in file.validators:
        _check_different(f'address of {validator.name}', validator.addresses)
        for address in validator.addresses:
            if ADDRESS.fullmatch(address) is None:
                raise Refused('bad-address', f'{validator.name}: {address!r} is no address')


def _check_time(file):
    if file.time > MAX_TIME:
        raise Refused('bad-time', f'{file.time} is above {MAX_TIME}')


def _check_parameters(parameters, validators):
    least_behind = max(8 * parameters.viewTimeoutMs, 600000)
    for name, least, most in (
        ('protocolVersion', 1, 1),
        ('window', 1, 64),
        ('batchTransactionsMax', 1, 4096),
        ('transactionBytesMax', 256, 65536),
        ('batchBytesMax', parameters.transactionBytesMax, 4194304),
        ('batchDelayMs', 0, 60000),
        ('callsMax', 1, 256),
        ('maxLifetimeMs', 1000, 2592000000),
        ('heartbeatMs', 100, 86400000),
        ('viewTimeoutMs', 50, 3600000),
        ('maxAheadMs', 1, 86400000),
        ('maxBehindMs', least_behind, 2592000000),
        ('leaderTerm', 1, 4294967295),
        ('inclusionTimeoutMs', parameters.viewTimeoutMs, 86400000),
        ('readyWindow', 16, 4294967295),
        ('readsMax', 1, 1000000),
        ('writesMax', 1, 1000000),
        ('stateBytesMax', 1024, 67108864),
    ):
        value = getattr(parameters, name)
        if not least <= value <= most:
            raise Refused('bad-parameters', f'{name} {value} is not {least} to {most}')
    if _new_view_bytes(validators, parameters.window) > MAX_NEW_VIEW_BYTES:
        raise Refused('bad-parameters', f'window {parameters.window} is too large for {validators} validators')


def _new_view_bytes(validators, window):
    """The size of the greatest NEW-VIEW; n / 8 is not rounded."""
    q = quorum(validators)
    signatures = 64 * q + validators / 8
    return q * (signatures + 400 + window * (signatures + 136)) + 120 * window + 128


def _check_possession(file):
    """Whoever holds the consensus key wants to be this validator of this chain."""
    for validator in file.validators:
        body = LAYOUTS['Validator'].write(validator) + file.chain.encode('utf-8')
        message = sign_bytes('validator possession', bytes(32), body)
        if not is_valid_signature(validator.key, message, validator.possession):
            raise Refused('bad-possession', f'the possession of {validator.name} is not a signature by its key')
