"""Checkpoints: nested dicts, lists and tuples of tensors, arrays and plain values in one safetensors file.

A file holds data only: no class, no function, no name of one, so that reading it runs nothing. The arrays lie in the file under dotted
names ("model.lstm.weight_ih_l0"), which any safetensors reader opens. The metadata holds the structure they came from, as JSON in which
every container and array is a list [kind, content], and a SHA-256 of names, dtypes, shapes, structure and numbers, which `load` checks.

Reading and writing the format is the safetensors package's; the structure, the checksum and the safe replacement are ours.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.tape import Tensor, wrap

Array = np.ndarray[Any, Any]
KEY = "minigrad"  # of the metadata
VERSION = "1"
LONGEST_HEADER = 100_000_000  # bytes; readers of the format refuse more
DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
CODES = {dtype: code for code, dtype in DTYPES.items()}


class CheckpointError(ValueError):
    """A file that is no checkpoint, or no longer the one that was written."""


# ---- an object as a tree of JSON and a flat dict of arrays, and back


def pack(value: Any, path: tuple[Any, ...], arrays: dict[str, Array]) -> Any:
    """The JSON of `value`, found at `path` of the object; its arrays are put into `arrays`."""
    if isinstance(value, Tensor):
        return ["tensor", put(value.numpy(), path, arrays)]
    if isinstance(value, np.generic):  # before float: np.float64 is one
        return ["scalar", put(np.asarray(value), path, arrays)]
    if type(value) is np.ndarray:
        return ["array", put(value, path, arrays)]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str | int) or isinstance(key, np.generic):
                raise TypeError(f"save: {place(path)} has the key {key!r}, a {type(key).__name__}: keys are strings and ints")
        return ["dict", [[pack(key, path, arrays), pack(item, (*path, key), arrays)] for key, item in value.items()]]
    if isinstance(value, list | tuple):
        return ["tuple" if isinstance(value, tuple) else "list", [pack(item, (*path, i), arrays) for i, item in enumerate(value)]]
    if isinstance(value, int) and abs(value) >= 2**63:
        return ["int", hex(value)]  # JSON readers cut long numbers short
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"save: {place(path)} is a {type(value).__name__}, and a checkpoint holds data only: dicts, lists and tuples of tensors, NumPy "
        "arrays, numbers, strings, booleans and None"
    )


def put(array: Array, path: tuple[Any, ...], arrays: dict[str, Array]) -> str:
    """Enter an array, contiguous and little-endian, under the dotted name of its path; the name."""
    little = array.dtype.newbyteorder("<")
    if little.str not in CODES:
        raise TypeError(f"save: {place(path)} is an array of dtype {array.dtype}; a checkpoint holds {', '.join(map(dtype_name, CODES))}")
    name = ".".join(map(str, path)).encode(errors="backslashreplace").decode()
    while name in arrays or name in ("", "__metadata__"):
        name += "~"  # {"a.b": x, "a": {"b": y}}: two paths, one name
    arrays[name] = np.asarray(array, little, order="C")
    return name


def place(path: tuple[Any, ...]) -> str:
    """A path as one would write it in Python."""
    return "obj" + "".join([f"[{key!r}]" for key in path])


def dtype_name(code: str) -> str:
    """A dtype as NumPy prints it."""
    return np.dtype(code).name


def unpack(tree: Any, arrays: dict[str, Array]) -> Any:
    """The object of a tree; each array is taken out of `arrays`."""
    if not isinstance(tree, list):
        return tree
    kind, content = tree
    match kind:
        case "tensor":
            return wrap(arrays.pop(content), None)
        case "array":
            return arrays.pop(content)
        case "scalar":
            return arrays.pop(content)[()]
        case "dict":
            return {unpack(key, arrays): unpack(item, arrays) for key, item in content}
        case "list":
            return [unpack(item, arrays) for item in content]
        case "tuple":
            return tuple([unpack(item, arrays) for item in content])
        case "int":
            return int(content, 16)
    raise ValueError(f"unknown kind {kind!r}")


# ---- a tree and arrays as bytes


def digest(tree: str, arrays: dict[str, Array]) -> str:
    """SHA-256 of all that a checkpoint says, whatever the layout of the file."""
    ordered = sorted(arrays.items())
    listing = [[name, CODES[array.dtype.str], array.shape] for name, array in ordered]
    sha = hashlib.sha256(json.dumps([VERSION, tree, listing]).encode())
    for _, array in ordered:
        sha.update(array.reshape(-1).view(np.uint8).data)
    return sha.hexdigest()


def encode(tree: str, arrays: dict[str, Array]) -> bytes:
    """The file. All of ours stands under one key of the metadata: the package writes several in an order of its own."""
    from safetensors.numpy import save as to_bytes

    about = {"version": VERSION, "sha256": digest(tree, arrays), "tree": tree}
    data: bytes = to_bytes(arrays, {KEY: json.dumps(about)})
    header = int.from_bytes(data[:8], "little")
    if header > LONGEST_HEADER:
        raise ValueError(f"save: the structure takes {header} bytes, the format allows {LONGEST_HEADER}: put long lists into arrays")
    return data


# ---- bytes on disk: the whole new file or the whole old one


def refuse_target(target: Path) -> None:
    """Raise the OSError that says why `target` cannot be written, before anything is."""
    folder = target.parent
    if not folder.is_dir():
        raise OSError(errno.ENOENT, "save: no such folder", str(folder))
    if target.exists() and not target.is_file():
        raise OSError(errno.EISDIR if target.is_dir() else errno.EINVAL, "save: not a regular file", str(target))
    for path in [folder, target] if target.exists() else [folder]:
        if not os.access(path, os.W_OK):
            raise OSError(errno.EACCES, "save: no permission to write", str(path))


def replace(target: Path, data: bytes) -> None:
    """Write `data` beside `target` and rename: whoever looks, even after a power cut, finds the old file or the new one."""
    refuse_target(target)
    temporary = target.parent / f".minigrad-{secrets.token_hex(8)}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":  # the rename itself lies in the folder
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        except OSError as problem:
            if problem.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems have no such thing
                raise
        finally:
            os.close(folder)


def save(obj: Any, path: str | os.PathLike[str]) -> None:
    """Write `obj` to `path` as a safetensors file that `load` reads back: same structure, same key types, same bits.

    `obj`: dicts (keys: strings and ints), lists and tuples, nested, of tensors, NumPy arrays, ints, floats, strings, booleans and
    None; subclasses of these come back as what they are derived from. Tensors are saved by value: requires_grad and tape stay behind.
    Arrays are bool, int8 to uint64, float16, float32 or float64. A flat dict of tensors keeps its names for other readers.

    An existing file is replaced all at once or not at all. Raises TypeError, naming the place, for anything that is not data, ValueError
    for an object that contains itself, OSError if the file cannot be written; an existing file is intact then.

    >>> import tempfile, minigrad as mg
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save({"model": {"lstm.bias": mg.ones(2)}, "epoch": 3}, folder + "/run.safetensors")
    ...     load(folder + "/run.safetensors")
    {'model': {'lstm.bias': tensor([1., 1.])}, 'epoch': 3}
    """
    arrays: dict[str, Array] = {}
    try:
        tree = json.dumps(pack(obj, (), arrays))
    except RecursionError:
        raise ValueError("save: the object is nested too deeply, or contains itself") from None
    replace(Path(os.path.realpath(path)), encode(tree, arrays))


def load(path: str | os.PathLike[str]) -> Any:
    """What `save` wrote to `path`; of a safetensors file made elsewhere, a flat dict from names to tensors.

    Tensors are constants with memory of their own. Every byte of a file that `save` wrote is covered by its checksum; files made
    elsewhere have none, there only the structure is checked. The checksum finds damage, not malice: it is no signature. Nothing
    in a file is ever run.

    >>> import tempfile, numpy
    >>> from safetensors.numpy import save_file
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_file({"w": numpy.ones(2)}, folder + "/made_elsewhere.safetensors")
    ...     load(folder + "/made_elsewhere.safetensors")
    {'w': tensor([1., 1.], dtype=float64)}

    Raises CheckpointError (a ValueError), naming the path, for a file that is damaged, of another format or a later version, or that has
    dtypes NumPy does not know (bfloat16); FileNotFoundError or another OSError if it cannot be read.
    """
    import safetensors

    deserialize: Any = safetensors.deserialize
    shown = f"checkpoint '{os.fspath(path)}'"
    data = Path(path).read_bytes()
    if not data:
        raise CheckpointError(f"{shown} is empty: the file has no bytes")
    try:
        found = dict(deserialize(data))
    except safetensors.SafetensorError as problem:
        raise CheckpointError(f"{shown} is damaged, or is no safetensors file ({problem})") from None
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    metadata = header.pop("__metadata__", None) or {}
    arrays = {name: array_of(shown, name, found[name]) for name in header}
    if KEY not in metadata:
        if '"sha256' in json.dumps(metadata):
            raise CheckpointError(f"{shown} is damaged: its metadata has a checksum, but not under the name '{KEY}'")
        return {name: wrap(array, None) for name, array in arrays.items()}
    try:
        about = json.loads(metadata[KEY])
        version, tree = about["version"], about["tree"]
    except (ValueError, TypeError, KeyError):
        raise CheckpointError(f"{shown} is damaged: the description of its structure cannot be read") from None
    if version != VERSION:
        raise CheckpointError(f"{shown} has the format version {version!r}, this minigrad reads {VERSION!r}: it is newer, or damaged")
    if metadata.keys() != {KEY} or digest(tree, arrays) != about.get("sha256"):
        raise CheckpointError(f"{shown} is damaged: its content does not have the checksum that was written with it")
    try:
        obj = unpack(json.loads(tree), arrays)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        raise CheckpointError(f"{shown} has a structure that cannot be read ({type(problem).__name__}: {problem})") from None
    if arrays:
        raise CheckpointError(f"{shown} has a structure that leaves out {', '.join(arrays)}")
    return obj


def array_of(shown: str, name: str, found: dict[str, Any]) -> Array:
    """One array of a file, in memory of its own."""
    if found["dtype"] not in DTYPES:
        raise CheckpointError(f"{shown}: '{name}' is {found['dtype']}, which NumPy does not have: convert it to F32 where it was made")
    array = np.frombuffer(found["data"], DTYPES[found["dtype"]]).reshape(found["shape"])
    if array.dtype == np.bool_:
        return np.asarray(array.view(np.uint8) != 0)  # a byte of 2 is no boolean NumPy can handle
    return array.copy()
