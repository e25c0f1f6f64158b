"""JSON text: reading it, and the two ways in which docs/formats.md prints it."""

import json

from .codec import Refused, decode, decode_json


def parse(data):
    """The value of a JSON text in UTF-8 (bytes)."""
    try:
        return json.loads(data.decode('utf-8'), parse_int=_number, parse_float=_number, parse_constant=_refuse_constant)
    except ValueError as error:  # also not UTF-8
        raise Refused('not-json', str(error)) from None
    except RecursionError:
        raise Refused('bad-form', 'nested too deep') from None  # no type of ours is


def print_indented(value):
    """`value` indented by two spaces. Only `"`, `\\` and control characters are escaped; nothing ends the last line."""
    return json.dumps(value, ensure_ascii=False, indent=2).encode('utf-8')


def print_on_one_line(value):
    """`value` without any blanks."""
    return json.dumps(value, ensure_ascii=False, separators=(',', ':')).encode('utf-8')


def _number(text):
    """A number as every JSON reader has it, 1.0 being 1. What is no integer, or -0, stays a float, which no type takes."""
    number = float(text)
    is_minus_zero = number == 0 and text.startswith('-')
    return int(number) if number.is_integer() and not is_minus_zero else number


def _refuse_constant(name):
    raise ValueError(f'{name} is no JSON')


def read_as(layout, data, most, what):
    """The value that the bytes are: canonical bytes, which begin with a small tag, or JSON text, with a brace."""
    if len(data) > most:
        raise Refused('format', f'more than {most} bytes')
    if not data.startswith(b'{'):
        return decode(layout, data)
    value = decode_json(layout, parse(data))
    if not _is_print(data, layout.to_json(value)):
        raise Refused('format', f'the text is not the JSON print of the {what}: it was changed somewhere')
    return value


def _is_print(data, value):
    """Whether the text is one of the two prints of its value, with or without a newline at its end."""
    text = data[:-1] if data.endswith(b'\n') else data
    return text in (print_on_one_line(value), print_indented(value))
