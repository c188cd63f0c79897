"""Ways to damage a file or a folder, and texts and files to damage.

Which way is drawn from the generator that is handed in, so a case can be repeated. Damage that ends
in the same bytes is `NOTHING`; where a seal was made anew over it, it is `FORGED`.
"""

from __future__ import annotations

import json
import os
import random
import re
from pathlib import Path
from typing import Any

from paceline.files.sealing import MANIFEST, sealed_text

PLAIN, FORGED, NOTHING = "plain", "forged", "nothing"

TEXTS = {
    "order.json": json.dumps(
        [
            {
                "order_id": "o-1", "symbol": "TINY", "side": "sell", "qty": 2000,
                "arrival_px": 20.0, "start_ts": 1709562600, "end_ts": "2024-03-04T10:00:00-05:00",
                "constraints": {"participation": 0.1, "price_band_bps": 50, "child_max": 500},
            }
        ],
        indent=1,
    ),
    "scenario.yaml": "name: bad\nabout: A fall, then a halt.\nparts:\n"
    "  - {part: spread, times: 2}\n  - part: crash\n    fall: 0.04\n    start_s: 600\n"
    "    length_s: 300\n  - {part: halt, start_s: 900, length_s: 60, gap: -0.02}\n",
    "mapping.yaml": "time: ts\ntime_unit: us\nkind: what\nkinds: {L: level, T: trade}\n"
    "side: side\nprice: px\nsize: qty\n",
}  # fmt: skip

_WILD: tuple[Any, ...] = (
    -1, 0, 1, 2**31 - 1, 2**31, -(2**31), 2**63 - 1, 2**63, -(2**63), 10**40, 0.5, -0.0, 1e308,
    True, None, "", "\x00", "../../etc/passwd", "/dev/zero", "x" * 10_000, [], {},
    [[]], [0], {"a": 1},
)  # fmt: skip
_WILD_TEXT = (
    b"", b"-1", b"0", b"1e999", b"nan", b"-inf", b"9" * 5000, b"true", b"null", b"~", b"[]", b"{}",
    b"\x00", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"../", b"/dev/zero", b"&a [*a]", b"!!python/x",
    b"[" * 5000, b"{" * 5000, b": ", b"- ", b"\t", b"1_0", b"0x10", b"1e9", b"1e-9",
    b"1e300", b"100000000", b"1:30", b"2024-13-45", b"'",
)  # fmt: skip


def make_order_tables(folder: Path) -> None:
    """The order of `TEXTS`, twice, as CSV and as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    one = json.loads(TEXTS["order.json"])[0]
    one |= one.pop("constraints") | {"start_ts": "2024-03-04T09:30:00-05:00"}
    rows = [one, one | {"order_id": "o-2", "side": "buy", "price_band_bps": 20.5}]
    lines = [",".join(one), *(",".join(str(cell) for cell in row.values()) for row in rows)]
    (folder / "order.csv").write_text("\n".join(lines) + "\n")
    pq.write_table(pa.Table.from_pylist(rows), folder / "order.parquet")


def make_kill_file(path: Path) -> None:
    """A kill file that has stopped TINY, and once stopped and released something else."""
    from paceline.guard.kill_switch import KillSwitch, Mode, Scope

    switch = KillSwitch.create(path)
    switch.throw(Scope.SYMBOL, "TINY", Mode.HALT, who="ann", why="a test", ts=1)
    switch.throw(Scope.DESK, "other", Mode.REDUCE_ONLY, who="ann", why="a test", ts=2)


def describe(kind: str, number: int) -> str:
    """Which case it is; `damage` draws the rest from it."""
    return f"{kind} {number}"


def damage(path: Path, rng: random.Random, *, sealed: bool) -> str:
    """Damage the copy at `path`, a file or a folder; says how far it went."""
    if not sealed:
        return _damage_text(path, rng)
    if path.is_dir():
        return _damage_folder(path, rng)
    return _damage_bytes(path, rng) if rng.random() < 0.7 else _forge_file(path, rng)


def _damage_folder(folder: Path, rng: random.Random) -> str:
    files = sorted(one for one in folder.rglob("*") if one.is_file() and one.name[0] != ".")
    manifests = [one for one in files if one.name == MANIFEST]
    chance = rng.random()
    if chance < 0.45:
        # Most bytes are those of a few large members; manifests are where it hurts.
        return _damage_bytes(rng.choice(files if rng.random() < 0.6 else manifests), rng)
    if chance < 0.52:
        return _damage_names(folder, files, rng)
    if chance < 0.75:
        return _forge_manifest(rng.choice(manifests), rng)
    return _forge_member(rng.choice(manifests), rng)


def _damage_names(folder: Path, files: list[Path], rng: random.Random) -> str:
    """Files that are missing, exchanged, empty, or no files at all."""
    one, other = rng.choice(files), rng.choice(files)
    what = rng.randrange(6)
    if what == 0 or (what == 1 and one == other):
        one.unlink()
    elif what == 1:
        spare = folder / "spare"
        one.rename(spare)
        other.rename(one)
        spare.rename(other)
        if one.read_bytes() == other.read_bytes():
            return NOTHING
    elif what == 2:
        one.write_bytes(b"")
    elif what == 3:
        one.unlink()
        os.symlink("/dev/zero", one)
    elif what == 4:
        one.unlink()
        os.mkfifo(one)
    else:
        one.unlink()
        one.mkdir()
    return PLAIN


def _damage_bytes(path: Path, rng: random.Random) -> str:
    """Bits, cuts, runs of other bytes."""
    before = path.read_bytes()
    content = bytearray(before)
    n = len(content)
    what = rng.randrange(7) if n else 6
    at = rng.randrange(n) if n else 0
    if what == 0:
        content[at] ^= 1 << rng.randrange(8)
    elif what == 1:
        for _ in range(rng.randint(2, 40)):
            content[rng.randrange(n)] ^= 1 << rng.randrange(8)
    elif what == 2:
        del content[at:]
    elif what == 3:
        length = rng.randint(1, 64)
        content[at : at + length] = bytes([rng.choice((0, 255, 127, 128))]) * length
    elif what == 4:
        length = rng.randint(1, 256)
        content[at:at] = content[at : at + length]
    elif what == 5:
        length = rng.randint(1, 256)
        del content[at : at + length]
    else:
        content += rng.randbytes(rng.randint(1, 100))
    if content == before:
        return NOTHING
    path.write_bytes(content)
    return PLAIN


def _damage_text(path: Path, rng: random.Random) -> str:
    """What people write, with values replaced, lines repeated or lost, bytes that are no text."""
    if rng.random() < 0.35:
        return _damage_bytes(path, rng)
    before = path.read_bytes()
    spans = [found.span() for found in re.finditer(rb"[\w.+-]+|\"[^\"]*\"", before)]
    content = before
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        start, end = rng.choice(spans)
        what = rng.randrange(4)
        if what == 0:
            content = content[:start] + rng.choice(_WILD_TEXT) + content[end:]
        elif what == 1:
            other_start, other_end = rng.choice(spans)
            content = content[:start] + before[other_start:other_end] + content[end:]
        elif what == 2:
            lines = content.splitlines(keepends=True)
            lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
            content = b"".join(lines)
        else:
            lines = content.splitlines(keepends=True)
            del lines[rng.randrange(len(lines))]
            content = b"".join(lines) or b"\n"
    if content == before:
        return NOTHING
    path.write_bytes(content)
    return PLAIN


def _forge_manifest(path: Path, rng: random.Random) -> str:
    """A field of a manifest is another, and the seal fits again."""
    body = json.loads(path.read_bytes())
    inside = body["content"] if rng.random() < 0.8 else body
    _change(inside, rng)
    _seal(path, body)
    return FORGED


def _forge_file(path: Path, rng: random.Random) -> str:
    body = json.loads(path.read_bytes())
    _change(body.get("content", body), rng)
    if "seal" in body:
        _seal(path, body)
    else:
        path.write_text(json.dumps(body))
    return FORGED


def _change(raw: Any, rng: random.Random) -> None:
    """Replace, remove or add something somewhere in JSON's own types."""
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in items:
            places.append((node, key))
            if isinstance(value, dict | list):
                walk(value)

    walk(raw)
    if not places:
        return
    node, key = rng.choice(places)
    what = rng.random()
    if what < 0.15:
        del node[key]
    elif what < 0.25 and isinstance(node, dict):
        node[f"{key}x"] = rng.choice(_WILD)
    elif isinstance(node[key], int | float) and not isinstance(node[key], bool) and what < 0.6:
        node[key] = node[key] + rng.choice((-1, 1, 1000, -1000, 0.5))
    else:
        node[key] = rng.choice(_WILD)


def _forge_member(path: Path, rng: random.Random) -> str:
    """Numbers in a member are others, and sizes, digests and the seal fit again."""
    import hashlib

    body = json.loads(path.read_bytes())
    members = body.get("members") or {}
    names = [name for name in members if (path.parent / name).is_file()]
    if not names:
        return _forge_manifest(path, rng)
    name = rng.choice(names)
    member = path.parent / name
    done = _change_numbers(member, rng) if rng.random() < 0.7 else _damage_bytes(member, rng)
    if done == NOTHING:
        return NOTHING
    content = member.read_bytes()
    members[name] = members[name] | {
        "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()
    }  # fmt: skip
    _seal(path, body)
    return FORGED


def _change_numbers(path: Path, rng: random.Random) -> str:
    """Some entries of a column become wild ones: out of range, negative, NaN."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.suffix == ".arrow":
        with pa.OSFile(str(path)) as file:
            table = pa.ipc.open_file(file).read_all()
    elif path.suffix == ".parquet":
        table = pq.read_table(path, use_threads=False)
    elif path.suffix == ".safetensors":
        return _change_tensors(path, rng)
    elif path.suffix == ".json":
        return _forge_file(path, rng)
    else:
        return _damage_bytes(path, rng)
    names = [name for name in table.column_names if pa.types.is_primitive(table[name].type)]
    if not names or not len(table):
        return _damage_bytes(path, rng)
    name = rng.choice(names)
    values = np.array(table[name].to_numpy(zero_copy_only=False))
    if values.dtype == bool:
        values[rng.randrange(len(values)) :] ^= True
    else:
        for _ in range(rng.choice((1, 1, 5))):
            values[rng.randrange(len(values))] = _wild_number(values.dtype, rng)
    changed = pa.array(values, type=table[name].type, from_pandas=False)
    at, what = table.column_names.index(name), rng.random()
    if what < 0.8:
        table = table.set_column(at, table.schema.field(name), changed)
    elif what < 0.87:
        table = table.remove_column(at)
    elif what < 0.94:
        table = table.set_column(at, name, pa.array([str(value) for value in values]))
    else:
        table = table.set_column(at, name, pa.nulls(len(table), table[name].type))
    if rng.random() < 0.2:
        table = table.slice(0, rng.randrange(len(table) + 1))
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        batch = table.combine_chunks().to_batches()
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            for one in batch:
                writer.write_batch(one)
    return FORGED


def _change_tensors(path: Path, rng: random.Random) -> str:
    from safetensors.numpy import load_file, save_file

    tensors = load_file(path)
    name = rng.choice(sorted(tensors))
    tensor = tensors[name].copy()
    what = rng.randrange(3)
    if what == 0 and tensor.size:
        tensor.flat[rng.randrange(tensor.size)] = _wild_number(tensor.dtype, rng)
    elif what == 1:
        tensor = tensor.reshape(-1)[: tensor.size // 2]
    if what == 2:
        del tensors[name]
    else:
        tensors[name] = tensor
    save_file(tensors, path)
    return FORGED


def _wild_number(dtype: Any, rng: random.Random) -> Any:
    import numpy as np

    if np.issubdtype(dtype, np.floating):
        return rng.choice((np.nan, np.inf, -np.inf, -1.0, 2.0, 1e30, -1e30))
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    return rng.choice((low, high, 0, min(1 << 20, high), max(-1, low), min(12345, high)))


def _seal(path: Path, body: dict[str, Any]) -> None:
    """Write `body` with a seal that fits."""
    path.write_bytes(sealed_text({key: value for key, value in body.items() if key != "seal"}))
