"""Rule S5 of docs/formats.md: when an Ed25519 signature is valid.

The arithmetic is that of RFC 8032, sections 5.1 and 6. It is slow, and not safe against timing: that matters to those who
sign, not to a verifier, who holds no secret.
"""

import hashlib

P = 2 ** 255 - 19  # the field
L = 2 ** 252 + 27742317777372353535851937790883648493  # the order of the base point
D = -121665 * pow(121666, -1, P) % P  # the curve: -x^2 + y^2 = 1 + d x^2 y^2
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)

LOW_255_BITS = 2 ** 255 - 1

# The y of all points of small order.
SMALL_ORDER = {
    int.from_bytes(bytes.fromhex(encoded), 'little')
    for encoded in (
        '0100000000000000000000000000000000000000000000000000000000000000',
        'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
        '0000000000000000000000000000000000000000000000000000000000000000',
        '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
        'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    )
}

# A point (x, y) is kept as (X, Y, Z, T) with x = X/Z, y = Y/Z, x*y = T/Z: so adding needs no division.
NEUTRAL = (0, 1, 1, 0)


def is_valid_signature(public_key, message, signature):
    """Whether S5 holds."""
    return failing_step(public_key, message, signature) is None


def failing_step(public_key, message, signature):
    """The number of the first of the six steps of S5 that does not hold, or None."""
    if len(signature) != 64 or len(public_key) != 32:
        return 1
    encoded_r = signature[:32]
    s = int.from_bytes(signature[32:], 'little')
    if s >= L:
        return 2
    if not (_is_canonical(public_key) and _is_canonical(encoded_r)):
        return 3
    if _has_small_order(public_key) or _has_small_order(encoded_r):
        return 4
    key = _decode_point(public_key)
    if key is None:
        return 5
    challenge = hashlib.sha512(encoded_r + public_key + message).digest()
    k = int.from_bytes(challenge, 'little') % L
    if _encode_point(_add_multiples(s, BASE, k, _negate(key))) != encoded_r:
        return 6
    return None


def is_valid_public_key(public_key):
    """Whether S5 accepts signatures by this key."""
    return (
        len(public_key) == 32
        and _is_canonical(public_key)
        and not _has_small_order(public_key)
        and _decode_point(public_key) is not None
    )


def _low_bits(encoded):
    """The y that the 32 bytes of a point hold; the top bit is the sign of x."""
    return int.from_bytes(encoded, 'little') & LOW_255_BITS


def _is_canonical(encoded):
    return _low_bits(encoded) < P


def _has_small_order(encoded):
    return _low_bits(encoded) in SMALL_ORDER


def _decode_point(encoded):
    """The point that 32 canonical bytes stand for, or None (RFC 8032, section 5.1.3)."""
    y = _low_bits(encoded)
    x = _recover_x(y, sign=encoded[31] >> 7)
    return None if x is None else (x, y, 1, x * y % P)


def _recover_x(y, sign):
    """The x of the point with this y whose lowest bit is `sign`; None if there is none."""
    x_squared = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x_squared, (P + 3) // 8, P)
    if x * x % P != x_squared:
        x = x * ROOT_OF_MINUS_ONE % P
    if x * x % P != x_squared:
        return None
    if x == 0 and sign == 1:
        return None
    return x if x % 2 == sign else P - x


def _encode_point(point):
    x, y, z, _ = point
    inverse = pow(z, -1, P)
    sign = x * inverse % P % 2
    return (y * inverse % P | sign << 255).to_bytes(32, 'little')


def _negate(point):
    x, y, z, t = point
    return (P - x, y, z, P - t)


def _add(first, second):
    """The sum of two points, equal or not (RFC 8032, section 5.1.4)."""
    x1, y1, z1, t1 = first
    x2, y2, z2, t2 = second
    a = (y1 - x1) * (y2 - x2) % P
    b = (y1 + x1) * (y2 + x2) % P
    c = 2 * D * t1 * t2 % P
    d = 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _add_multiples(s, first, k, second):
    """[s]first + [k]second, by doubling once for both for every bit."""
    both = _add(first, second)
    total = NEUTRAL
    for bit in reversed(range(max(s.bit_length(), k.bit_length()))):
        total = _add(total, total)
        in_s, in_k = s >> bit & 1, k >> bit & 1
        if in_s and in_k:
            total = _add(total, both)
        elif in_s:
            total = _add(total, first)
        elif in_k:
            total = _add(total, second)
    return total


BASE = _decode_point((4 * pow(5, -1, P) % P).to_bytes(32, 'little'))
