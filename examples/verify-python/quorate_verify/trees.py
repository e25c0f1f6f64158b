"""The three trees of docs/formats.md: lists, the history, the state.

A verifier needs `check_list_proof`, which also serves the history, and `check_state_proof`. The functions that make a root
from everything show what the roots mean.
"""

from .codec import Refused, bits_of
from .hashes import EMPTY, inner_hash, leaf_hash, sha256


# Lists.


def list_root(contents):
    """The root of the list tree over `contents`."""
    return _bind_count(len(contents), _list_tree([leaf_hash(content) for content in contents]))


def check_list_proof(root, content, index, count, siblings):
    """Refuses a proof that does not show `content` to be item `index` of `count` under `root`."""
    if index >= count:
        raise Refused('index', f'index {index} is not below the count, {count}')
    left_over = list(siblings)  # from the leaf upwards
    node = leaf_hash(content)
    at, last = index, count - 1
    while last > 0:
        is_odd_last = at % 2 == 0 and at == last  # it has no sibling and moves up unchanged
        if not is_odd_last:
            if not left_over:
                raise Refused('siblings', 'a sibling is missing')
            sibling = left_over.pop(0)
            node = inner_hash(sibling, node) if at % 2 == 1 else inner_hash(node, sibling)
        at //= 2
        last //= 2
    if left_over:
        raise Refused('siblings', f'{len(left_over)} siblings left over')
    if _bind_count(count, node) != root:
        raise Refused('root', 'the proof leads to another root')


def _bind_count(count, tree):
    return sha256(count.to_bytes(8, 'big'), tree)


def _list_tree(leaves):
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        return leaves[0]
    left = _largest_power_of_two_below(len(leaves))
    return inner_hash(_list_tree(leaves[:left]), _list_tree(leaves[left:]))


def _largest_power_of_two_below(count):
    return 1 << (count - 1).bit_length() - 1


# The history: a list that grows by one block hash a block.


def history_peaks(block_hashes):
    """The roots of the perfect subtrees over the blocks 0 to n - 1, from the largest to the smallest."""
    leaves = [leaf_hash(block) for block in block_hashes]
    peaks = []
    while leaves:
        size = 1 << len(leaves).bit_length() - 1
        peaks.append(_list_tree(leaves[:size]))
        leaves = leaves[size:]
    return peaks


def history_root(count, peaks):
    """The root of the history of `count` blocks, from its peaks."""
    tree = EMPTY
    for position, peak in enumerate(reversed(peaks)):
        tree = peak if position == 0 else inner_hash(peak, tree)
    return _bind_count(count, tree)


# The state.


def state_path(table, key):
    """The place of a row in the state tree."""
    name = table.encode('utf-8')
    return sha256(bytes([len(name)]), name, key)


def state_leaf(path, value_hash):
    """The node of a row."""
    return leaf_hash(path + value_hash)


def state_root(rows):
    """The root of the state with these rows: (table, key, value)."""
    return _state_tree([(state_path(table, key), sha256(value)) for table, key, value in rows], 0)


def _state_tree(rows, depth):
    if not rows:
        return EMPTY
    if len(rows) == 1:
        return state_leaf(*rows[0])
    left = [row for row in rows if _path_bit(row[0], depth) == 0]
    right = [row for row in rows if _path_bit(row[0], depth) == 1]
    return inner_hash(_state_tree(left, depth + 1), _state_tree(right, depth + 1))


def check_state_proof(root, table, key, value, proof):
    """Refuses a proof that does not show that the row has `value`, or does not exist if `value` is None, under `root`."""
    _check_state_proof_form(proof)
    path = state_path(table, key)
    node = _state_proof_end(path, value, proof)
    is_listed = bits_of(proof.bitmap)
    siblings = list(proof.siblings)  # from the root downwards, so the last one is the deepest
    for depth in reversed(range(proof.depth)):
        sibling = siblings.pop() if is_listed[depth] else EMPTY
        node = inner_hash(node, sibling) if _path_bit(path, depth) == 0 else inner_hash(sibling, node)
    if node != root:
        raise Refused('root', 'the proof leads to another root')


def _check_state_proof_form(proof):
    """Refuses a proof that says the same as another one in a different way."""
    if proof.depth > 256:
        raise Refused('form', f'depth {proof.depth} is above 256')
    if len(proof.bitmap) != (proof.depth + 7) // 8:
        raise Refused('form', f'a bitmap of {len(proof.bitmap)} bytes for depth {proof.depth}')
    bits = bits_of(proof.bitmap)
    if any(bits[proof.depth:]):
        raise Refused('form', 'a bit of the bitmap at or beyond the depth')
    if len(proof.siblings) != sum(bits):
        raise Refused('form', f'{len(proof.siblings)} siblings for {sum(bits)} bits')
    if EMPTY in proof.siblings:
        raise Refused('form', 'a listed sibling is empty')


def _state_proof_end(path, value, proof):
    """The node at the place where the row is, or would be."""
    end = proof.end
    if value is not None:
        if end.kind != 'self':
            raise Refused('end', 'a proof of presence that ends at another row')
        return state_leaf(path, sha256(value))
    if end.kind == 'self':
        return EMPTY
    other = end.value
    if other.path == path:
        raise Refused('end', 'a proof of absence that ends at the row itself')
    for depth in range(proof.depth):
        if _path_bit(other.path, depth) != _path_bit(path, depth):
            raise Refused('end', f'the other row leaves the path at depth {depth}, above the place')
    return state_leaf(other.path, other.valueHash)


def _path_bit(path, depth):
    """Bit `depth` of a path, the most significant bit of the first byte first."""
    return path[depth // 8] >> (7 - depth % 8) & 1
