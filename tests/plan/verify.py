#!/usr/bin/env python3
"""Checks a bundle or a proof on standard input, with Python's standard library alone and no code of netcensus.

It is written from the description of the format, as a customer's auditor would write it. Exit status: 0 if the file
holds, 1 if it does not. With a number N, it also changes a bit in each of N bytes in turn, and fails if one of the
changed files holds.
"""
import datetime, hashlib, json, sys
from fractions import Fraction

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(p, q):
    """Extended coordinates, RFC 8032 section 5.1.4."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, p):
    out = (0, 1, 1, 0)
    while n:
        if n & 1:
            out = add(out, p)
        p, n = add(p, p), n >> 1
    return out


def point(data):
    y = int.from_bytes(data, 'little')
    sign, y = y >> 255, y & ((1 << 255) - 1)
    need(y < P, 'no canonical point')
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    need((x * x - xx) % P == 0 and (x or not sign), 'no point')
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = (15112221349535400772501151409588531511454012693041857206046113283949847762202,
        4 * pow(5, P - 2, P) % P, 1)
BASE += (BASE[0] * BASE[1] % P,)


def signed(key, message, signature):
    r, s = signature[:32], int.from_bytes(signature[32:], 'little')
    need(s < L, 'signature')
    k = int.from_bytes(hashlib.sha512(r + key + message).digest(), 'little') % L
    left, right = times(s, BASE), add(point(r), times(k, point(key)))
    need((left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0,
         'signature')


def need(holds, what):
    if not holds:
        raise ValueError(what)


def sha(data):
    return hashlib.sha256(data).digest()


def text(value):
    return json.dumps(value, separators=(',', ':'), ensure_ascii=False)


def read(line):
    value = json.loads(line)
    need(text(value) == line, 'not canonical')
    return value


def unhex(word, size):
    need(isinstance(word, str) and len(word) == 2 * size and word == word.lower(), 'hex')
    return bytes.fromhex(word)


def root(hashes):
    if not hashes:
        return sha(b'')
    while len(hashes) > 1:
        pairs = [sha(b'\1' + a + b) for a, b in zip(hashes[::2], hashes[1::2])]
        hashes = pairs + hashes[len(hashes) // 2 * 2:]
    return hashes[0]


def included(leaf, index, size, path, expected):
    need(index < size, 'index')
    fn, sn, r = index, size - 1, sha(b'\0' + leaf)
    for sibling in path:
        need(sn, 'path')
        if fn & 1 or fn == sn:
            r = sha(b'\1' + sibling + r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = sha(b'\1' + r + sibling)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0 and r == expected, 'path')


def instant(word):
    """Nanoseconds since 1970."""
    seconds, _, fraction = word.removesuffix('Z').partition('.')
    at = datetime.datetime.strptime(seconds, '%Y-%m-%dT%H:%M:%S').replace(tzinfo=datetime.timezone.utc)
    need(word.endswith('Z') and not fraction.endswith('0'), 'instant')
    return int(at.timestamp()) * 10**9 + int(fraction.ljust(9, '0') or 0)


LINES = {'X-VIRT', 'X-PUB', 'X-ROUTED'}
FIXED = {'network': 'C-NET', 'iot': 'C-IOT', 'unclassified': 'X-UNCL'}


def verdict(leaf, header):
    """docs/rules.md: the verdict that follows from the category and the silence of a leaf."""
    given = leaf['verdict']
    if given in ('X-DEL', 'X-TENT'):
        return given
    if leaf['category'] == 'computer_mobile':
        return 'X-CM'
    if given == 'X-MANAGED':
        return given
    silence = instant(header['as_of']) - instant(leaf['last_seen'])
    return 'X-IDLE' if silence > header['policy']['idle_after'] else FIXED[leaf['category']]


def header_holds(header, key, signature):
    signed(key, text(header).encode(), unhex(signature, 64))
    census = header['census']
    need(header['schema'] == f"netcensus.snapshot/{2 if 'trails' in header else 1}", 'schema')
    end = datetime.date.fromisoformat(header['day']) + datetime.timedelta(days=1)
    need(header['as_of'] == f'{end}T00:00:00Z', 'as_of')
    need(census['billable'] == census['network'] + census['iot'], 'billable')
    need(census['commitment'] == -(-census['billable'] // 100) * 100, 'commitment')
    excluded = sum(n for v, n in census['excluded'].items() if v not in LINES)
    need(header['size'] == census['billable'] + excluded, 'size')


def leaf_holds(leaf, header):
    need(leaf['verdict'] == verdict(leaf, header), 'verdict')
    need(instant(leaf['first_seen']) <= instant(leaf['last_seen']) < instant(header['as_of']), 'seen')


def recount(header, lines):
    leaves = [read(line) for line in lines]
    ids = [leaf['id'] for leaf in leaves]
    need(ids == sorted(set(ids)), 'order')
    counts = {}
    for leaf in leaves:
        leaf_holds(leaf, header)
        counts[leaf['verdict']] = counts.get(leaf['verdict'], 0) + 1
    census = header['census']
    need(counts.pop('C-NET', 0) == census['network'] and counts.pop('C-IOT', 0) == census['iot'], 'counts')
    need(counts == {v: n for v, n in census['excluded'].items() if v not in LINES}, 'excluded')
    couplings = sum(leaf['couplings'] for leaf in leaves)
    couplings += sum(n for v, n in census['excluded'].items() if v in LINES)
    need(couplings == census['strict_couplings'], 'couplings')
    need(root([sha(b'\0' + line.encode()) for line in lines]).hex() == header['root'], 'root')


def statement_holds(statement, month, subscription):
    """P9: exact sums, rounded half to even. Each line adds to the rounded sum of the lines before."""
    need((statement['month'], statement['subscription']) == (month, subscription), 'statement')

    def months(charge, length):
        return Fraction((charge['committed'] or 0) * charge['seconds'], length)

    total, before = Fraction(0), 0
    for line in statement['lines']:
        total += months(line, line['seconds_in_month'])
        if line['corrects']:
            total -= months(line['corrects']['was'], line['seconds_in_month'])
        rounded = round(total * 10**6)
        need(Fraction(line['device_months']) * 10**6 == rounded - before, 'line')
        before = rounded
    need(Fraction(statement['device_months']) * 10**6 == before, 'total')


def bundle(lines, data):
    opening = read(lines[0])
    need(opening['schema'] == 'netcensus.bundle/1', 'schema')
    key = unhex(opening['key'], 32)
    last, newest, at, trails = None, {}, 1, {}
    while lines[at].startswith('{"snapshot":'):
        entry = read(lines[at])
        header, at = entry['snapshot'], at + 1
        header_holds(header, key, entry['signature'])
        need(header['subscription'] == opening['subscription'], 'subscription')
        need(last is None or (header['number'], header['previous']) == last, 'chain')
        last = header['number'] + 1, sha(text(header).encode()).hex()
        for name, head in header.get('trails', {}).items():
            then = trails.get(name, head)
            need(head['rows'] > then['rows'] or head == then, 'trails')
            trails[name] = head
        if entry['leaves']:
            recount(header, lines[at:at + header['size']])
            at += header['size']
        newest[header['day']] = entry['leaves']
    days = opening['days']
    need(all(leaves for day, leaves in newest.items() if days['from'] <= day < days['to']), 'leaves')
    while lines[at].startswith('{"statement":'):
        statement = read(lines[at])
        need(sha(statement['text'].encode()).hex() == statement['sha256'], 'statement')
        statement_holds(read(statement['text']), statement['statement'], opening['subscription'])
        at += 1
    end = read(lines[at])
    need(at == len(lines) - 1 and end['end'] == at, 'end')
    digest = sha(data[:data.rindex(b'\n', 0, -1) + 1]).hex()
    need(digest == end['sha256'], 'digest')
    signed(key, f'netcensus.bundle/1 {at} {digest}'.encode(), unhex(end['signature'], 64))


def proof(lines):
    need(len(lines) == 1, 'one line')
    doc = read(lines[0])
    need(doc['schema'] == 'netcensus.proof/1', 'schema')
    header = doc['header']
    header_holds(header, unhex(doc['key'], 32), doc['signature'])
    for place in doc['device'], doc['last']:
        leaf_holds(place['leaf'], header)
        path = [unhex(h, 32) for h in place['path']]
        included(text(place['leaf']).encode(), place['index'], header['size'], path, unhex(header['root'], 32))
    need(doc['last']['index'] == header['size'] - 1, 'last')


def check(data):
    need(data.endswith(b'\n'), 'truncated')
    lines = data.decode()[:-1].split('\n')
    proof(lines) if lines[0].startswith('{"schema":"netcensus.proof') else bundle(lines, data)


FAULTS = ValueError, KeyError, IndexError, TypeError, AttributeError


def main():
    data = sys.stdin.buffer.read()
    try:
        check(data)
    except FAULTS as error:
        sys.exit(f'it does not hold: {error!r}')
    for n in range(int(sys.argv[1]) if len(sys.argv) > 1 else 0):
        place = n * (len(data) - 1) // max(1, int(sys.argv[1]) - 1)
        changed = bytearray(data)
        changed[place] ^= 1 << n % 8
        try:
            check(bytes(changed))
        except FAULTS:
            continue
        sys.exit(f'a change of byte {place} was not detected')


main()
