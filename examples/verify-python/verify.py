#!/usr/bin/env python3
"""Verifies a proof of a Quorate chain, offline.

Exit codes: 0 verified, 4 not verified, 2 the command line is wrong or a file can't be read.
"""

import argparse
import json
import sys
import time

from quorate_verify import verify_bundle
from quorate_verify.bundle import MAX_BUNDLE_BYTES
from quorate_verify.facts import lines_of
from quorate_verify.genesis import MAX_GENESIS_BYTES

VERIFIED, USAGE, NOT_VERIFIED = 0, 2, 4


def main():
    arguments = read_arguments()
    try:
        genesis_file = read_file(arguments.genesis, MAX_GENESIS_BYTES)
        bundle_file = read_file(arguments.proof, MAX_BUNDLE_BYTES)
    except OSError as error:
        print(f'verify: {error}', file=sys.stderr)
        return USAGE
    oldest_ms = None if arguments.max_age is None else int(time.time() * 1000) - arguments.max_age
    report = verify_bundle(genesis_file, bundle_file, oldest_ms)
    sys.stdout.reconfigure(errors='backslashreplace')  # a terminal that lacks a letter shows its number
    if arguments.json:
        print_json(report)
    else:
        print_lines(report)
    return VERIFIED if report.ok else NOT_VERIFIED


def read_arguments():
    parser = argparse.ArgumentParser(description='Verifies a proof of a Quorate chain, offline.')
    parser.add_argument('--genesis', required=True, metavar='FILE', help='the genesis file, which you trust')
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    parser.add_argument('--max-age', type=milliseconds, metavar='MS', help='refuse a certificate older than this')
    parser.add_argument('proof', help='the proof: JSON or canonical bytes')
    return parser.parse_args()


def milliseconds(text):
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise argparse.ArgumentTypeError(f'{text!r} is not a number of milliseconds')
    return int(text)


def read_file(path, limit):
    """At most one byte more than the limit: enough to be refused as too large."""
    with open(path, 'rb') as file:
        return file.read(limit + 1)


def print_json(report):
    steps = [{'name': step.name, 'status': step.status, 'detail': step.detail} for step in report.steps]
    print(json.dumps({'ok': report.ok, 'steps': steps, 'facts': report.facts}, indent=2))


def print_lines(report):
    for step in report.steps:
        print(visible(f'{step.status:<11}  {step.name:<11}  {step.detail}').rstrip())
    print()
    if not report.ok:
        print('NOT VERIFIED')
        return
    print('VERIFIED with the genesis file alone')
    for line in lines_of(report.facts, report.genesis.file.parameters.application):
        print(visible(line))


def visible(text):
    """Text of a proof can hold anything, also what moves the cursor or hides letters: that is shown by its number."""
    return ''.join(
        letter if letter.isprintable() else letter.encode('unicode_escape').decode('ascii') for letter in text
    )


if __name__ == '__main__':
    sys.exit(main())
