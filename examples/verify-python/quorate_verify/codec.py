"""The types of docs/formats.md, section "Primitives", as bytes and as JSON.

Every type has the same four methods:

    read(reader)      bytes to value         write(value)     value to bytes
    from_json(json)   JSON value to value    to_json(value)   value to JSON value

Reading is strict: `decode` and `decode_json` refuse whatever is not the one encoding of a value. Writing trusts its value,
which was read before.

    type             value in Python
    u8 to u128       int
    bool             bool
    bytesN, blob     bytes
    text             str
    list             list
    tag              str, the name
    union            Choice(kind, value)
    { a: T, b: U }   SimpleNamespace(a=…, b=…)
"""

import re
from collections import namedtuple
from types import SimpleNamespace

HEX = re.compile('0x(?:[0-9a-f]{2})*')
DECIMAL = re.compile('0|[1-9][0-9]*')

Choice = namedtuple('Choice', ['kind', 'value'])


class Refused(Exception):
    """The input breaks a rule: `step` names the check that fails, as docs/formats.md names it; the message says why."""

    def __init__(self, step, message):
        super().__init__(message)
        self.step = step


class Malformed(Exception):
    """Bytes or JSON that are no value of the expected type."""


def decode(kind, data):
    """The value of the type `kind` that takes up `data` exactly."""
    reader = Reader(data)
    try:
        value = kind.read(reader)
        if reader.position != len(data):
            raise Malformed(f'{len(data) - reader.position} bytes left over')
    except Malformed as malformed:
        raise Refused('decode', str(malformed)) from None
    return value


def decode_json(kind, json):
    """The value of the type `kind` that a JSON value shows."""
    try:
        return kind.from_json(json)
    except Malformed as malformed:
        raise Refused('json', str(malformed)) from None


class Reader:
    """Takes bytes from the front of `data`."""

    def __init__(self, data):
        self.data = data
        self.position = 0

    def take(self, count):
        """The next `count` bytes."""
        end = self.position + count
        if end > len(self.data):
            raise Malformed(f'{count} bytes expected, {len(self.data) - self.position} left')
        taken = self.data[self.position:end]
        self.position = end
        return taken

    def take_number(self, width):
        """The next `width` bytes as a big-endian number."""
        return int.from_bytes(self.take(width), 'big')


def to_hex(data):
    """Bytes as JSON shows them."""
    return '0x' + data.hex()


def from_hex(json):
    """The bytes that a JSON string shows."""
    if not isinstance(json, str) or HEX.fullmatch(json) is None:
        raise Malformed('not "0x" and two lower-case hex digits a byte')
    return bytes.fromhex(json[2:])


def bits_of(bitmap):
    """The bits of a bitmap, the least significant bit of the first byte first."""
    return [byte >> bit & 1 for byte in bitmap for bit in range(8)]


def count_width(bound):
    """How many bytes the length or count before a blob, text or list takes, by the largest it may be."""
    if bound <= 255:
        return 1
    return 2 if bound <= 65535 else 4


def check_count(count, least, most):
    """Refuses a length or count outside its bounds."""
    if not least <= count <= most:
        raise Malformed(f'{count} is not {least} to {most}')


class Integer:
    """`u8` to `u64`: big-endian, in JSON a number. Never above 2^53 - 1, the largest that every JSON reader keeps exactly."""

    def __init__(self, width):
        self.width = width
        self.largest = min(256 ** width - 1, 2 ** 53 - 1)

    def read(self, reader):
        return self._bounded(reader.take_number(self.width))

    def write(self, value):
        return value.to_bytes(self.width, 'big')

    def from_json(self, json):
        if type(json) is not int:  # not isinstance: True is an int in Python
            raise Malformed('not a number without fraction')
        return self._bounded(json)

    def to_json(self, value):
        return value

    def _bounded(self, value):
        if not 0 <= value <= self.largest:
            raise Malformed(f'not 0 to {self.largest}')
        return value


class Amount:
    """`u128`: 16 bytes, big-endian, in JSON a decimal string."""

    def read(self, reader):
        return reader.take_number(16)

    def write(self, value):
        return value.to_bytes(16, 'big')

    def from_json(self, json):
        if not isinstance(json, str) or len(json) > 39 or DECIMAL.fullmatch(json) is None:
            raise Malformed('not a decimal string without sign or leading zeros')
        value = int(json)
        if value >= 2 ** 128:
            raise Malformed('above 2^128 - 1')
        return value

    def to_json(self, value):
        return str(value)


class Boolean:
    """`bool`: one byte, 0 or 1."""

    def read(self, reader):
        byte = reader.take_number(1)
        if byte > 1:
            raise Malformed(f'{byte} is neither 0 nor 1')
        return byte == 1

    def write(self, value):
        return b'\x01' if value else b'\x00'

    def from_json(self, json):
        if not isinstance(json, bool):
            raise Malformed('neither true nor false')
        return json

    def to_json(self, value):
        return value


class Bytes:
    """What byte strings of `least` to `most` bytes share: hexadecimal digits are their JSON form."""

    def __init__(self, least, most):
        self.least = least
        self.most = most

    def from_json(self, json):
        value = from_hex(json)
        check_count(len(value), self.least, self.most)
        return value

    def to_json(self, value):
        return to_hex(value)


class FixedBytes(Bytes):
    """`bytesN`: exactly N bytes."""

    def __init__(self, size):
        super().__init__(size, size)
        self.size = size

    def read(self, reader):
        return reader.take(self.size)

    def write(self, value):
        return value


class Blob(Bytes):
    """`blob<0..M>`: a length and that many bytes."""

    def __init__(self, least, most):
        super().__init__(least, most)
        self.width = count_width(most)

    def read(self, reader):
        length = reader.take_number(self.width)
        check_count(length, self.least, self.most)
        return reader.take(length)

    def write(self, value):
        return len(value).to_bytes(self.width, 'big') + value


class Text:
    """`text<m..M>`: a length in bytes and that many bytes of well-formed UTF-8."""

    def __init__(self, least, most):
        self.least = least
        self.most = most
        self.width = count_width(most)

    def read(self, reader):
        length = reader.take_number(self.width)
        check_count(length, self.least, self.most)
        try:
            return reader.take(length).decode('utf-8')  # strict: no overlong forms, no surrogates
        except UnicodeDecodeError:
            raise Malformed('not well-formed UTF-8') from None

    def write(self, value):
        encoded = value.encode('utf-8')
        return len(encoded).to_bytes(self.width, 'big') + encoded

    def from_json(self, json):
        if not isinstance(json, str):
            raise Malformed('not a string')
        try:
            check_count(len(json.encode('utf-8')), self.least, self.most)
        except UnicodeEncodeError:
            raise Malformed('a lone surrogate') from None
        return json

    def to_json(self, value):
        return value


class List:
    """`list<T, m..M>`: a count and that many T."""

    def __init__(self, item, least, most):
        self.item = item
        self.least = least
        self.most = most
        self.width = count_width(most)

    def read(self, reader):
        count = reader.take_number(self.width)
        check_count(count, self.least, self.most)
        return [self.item.read(reader) for _ in range(count)]

    def write(self, value):
        return len(value).to_bytes(self.width, 'big') + b''.join(map(self.item.write, value))

    def from_json(self, json):
        if not isinstance(json, list):
            raise Malformed('not an array')
        check_count(len(json), self.least, self.most)
        return [self.item.from_json(item) for item in json]

    def to_json(self, value):
        return [self.item.to_json(item) for item in value]


class Tag:
    """`tag<1 a | 2 b>`: one byte that stands for a name."""

    def __init__(self, names):
        self.names = names  # number to name
        self.numbers = {name: number for number, name in names.items()}

    def read(self, reader):
        number = reader.take_number(1)
        if number not in self.names:
            raise Malformed(f'unknown tag {number}')
        return self.names[number]

    def write(self, value):
        return bytes([self.numbers[value]])

    def from_json(self, json):
        if not isinstance(json, str) or json not in self.numbers:
            raise Malformed('not one of ' + ', '.join(self.numbers))
        return json

    def to_json(self, value):
        return value


class Union:
    """`union<1 a: T | 2 b: U>`: a tag and a value of the type that it names."""

    def __init__(self, variants):
        self.tag = Tag({number: name for number, (name, _) in variants.items()})
        self.types = dict(variants.values())

    def read(self, reader):
        kind = self.tag.read(reader)
        return Choice(kind, self.types[kind].read(reader))

    def write(self, value):
        return self.tag.write(value.kind) + self.types[value.kind].write(value.value)

    def from_json(self, json):
        check_fields(json, {'kind', 'value'})
        kind = self.tag.from_json(json['kind'])
        return Choice(kind, self.types[kind].from_json(json['value']))

    def to_json(self, value):
        return {'kind': value.kind, 'value': self.types[value.kind].to_json(value.value)}


class Record:
    """`{ a: T, b: U }`: the fields one after the other."""

    def __init__(self, fields):
        self.fields = fields  # name to type, in order

    def read(self, reader):
        return self._each(lambda name, kind: kind.read(reader))

    def write(self, value):
        return b''.join(kind.write(getattr(value, name)) for name, kind in self.fields.items())

    def from_json(self, json):
        check_fields(json, set(self.fields))
        return self._each(lambda name, kind: kind.from_json(json[name]))

    def to_json(self, value):
        return {name: kind.to_json(getattr(value, name)) for name, kind in self.fields.items()}

    def _each(self, read_field):
        """A value whose fields `read_field` gives; what it refuses is told with the name of the field."""
        value = SimpleNamespace()
        for name, kind in self.fields.items():
            try:
                setattr(value, name, read_field(name, kind))
            except Malformed as malformed:
                raise Malformed(f'{name}: {malformed}') from None
        return value


def check_fields(json, names):
    """Refuses what is not a JSON object with exactly these names."""
    if not isinstance(json, dict):
        raise Malformed('not an object')
    for name in sorted(names - json.keys()):
        raise Malformed(f'{name} is missing')
    for name in sorted(json.keys() - names):
        raise Malformed(f'unknown field {name!r}')
