"""Reads the notation in which docs/formats.md writes types, such as `list<bytes32, 0..53>`."""

import re

from .codec import Amount, Blob, Boolean, FixedBytes, Integer, List, Record, Tag, Text, Union

# A range such as 1..32, a word, or one sign. A comment runs from # to the end of its line.
TOKEN = re.compile(r'\d+\.\.\d+|[\w./-]+|[<>{}:|,=]')
COMMENT = re.compile(r'#.*')

SIMPLE = {
    'u8': Integer(1),
    'u16': Integer(2),
    'u32': Integer(4),
    'u64': Integer(8),
    'u128': Amount(),
    'bool': Boolean(),
}


def read_layouts(text):
    """The types that `text` defines as `Name = type`, one after the other, by their names.

    A name may have several words. A layout may use names that `text` defines further down.
    """
    layouts = _Layouts(text)
    return {name: layouts.named(name) for name in layouts.sources}


def read_type(text, layouts):
    """The type that `text` writes; names of structures are looked up in `layouts`."""
    tokens = _Tokens(text)
    kind = _read_type(tokens, layouts.__getitem__)
    if tokens.next() is not None:
        raise ValueError(f'something follows the type: {text}')
    return kind


class _Layouts:
    """Definitions by name, each read when it is first asked for."""

    def __init__(self, text):
        starts = list(re.finditer(r'^(\S.*?) = ', text, re.MULTILINE))
        ends = [start.start() for start in starts[1:]] + [len(text)]
        self.sources = {start[1]: text[start.end():end] for start, end in zip(starts, ends)}
        self.types = {}

    def named(self, name):
        if name not in self.types:
            self.types[name] = _read_type(_Tokens(self.sources[name]), self.named)
        return self.types[name]


class _Tokens:
    def __init__(self, text):
        self.tokens = TOKEN.findall(COMMENT.sub('', text))
        self.position = 0

    def peek(self):
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def next(self):
        token = self.peek()
        self.position += 1
        return token

    def expect(self, sign):
        token = self.next()
        if token != sign:
            raise ValueError(f'{sign!r} expected, {token!r} found')

    def skip(self, sign):
        """Takes `sign` if it is next; says whether it was."""
        found = self.peek() == sign
        if found:
            self.position += 1
        return found

    def range(self):
        least, most = self.next().split('..')
        return int(least), int(most)


def _read_type(tokens, named):
    word = tokens.next()
    if word == '{':
        return Record(_read_fields(tokens, named))
    if word in SIMPLE:
        return SIMPLE[word]
    if re.fullmatch(r'bytes\d+', word):
        return FixedBytes(int(word[5:]))
    if word in ('blob', 'text', 'list', 'tag', 'union'):
        tokens.expect('<')
        kind = _read_bracketed(word, tokens, named)
        tokens.expect('>')
        return kind
    return named(word)


def _read_fields(tokens, named):
    fields = {}
    while not tokens.skip('}'):
        name = tokens.next()
        tokens.expect(':')
        fields[name] = _read_type(tokens, named)
        tokens.skip(',')
    return fields


def _read_bracketed(word, tokens, named):
    if word == 'blob':
        return Blob(*tokens.range())
    if word == 'text':
        return Text(*tokens.range())
    if word == 'list':
        item = _read_type(tokens, named)
        tokens.expect(',')
        return List(item, *tokens.range())
    if word == 'tag':
        return Tag(_read_variants(tokens, lambda name: name))
    return Union(_read_variants(tokens, lambda name: (name, _read_variant_type(tokens, named))))


def _read_variant_type(tokens, named):
    tokens.expect(':')
    return _read_type(tokens, named)


def _read_variants(tokens, read_variant):
    variants = {}
    while True:
        number = int(tokens.next())
        variants[number] = read_variant(tokens.next())
        if not tokens.skip('|'):
            return variants
