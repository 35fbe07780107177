"""Checkpoints: what goes in comes out, damage is found, and a failed save leaves the old file."""

from __future__ import annotations

import builtins
import errno
import functools
import json
import math
import os
import stat
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

import minigrad as mg
from minigrad import io
from minigrad.io import CheckpointError, load, save

DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"]


def same(a, b):
    """Equal in structure, in every type, and in every bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(type(k) is type(m) and same(v, w) for (k, v), (m, w) in zip(a.items(), b.items(), strict=True))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, mg.Tensor):
        return same(a.numpy(), b.numpy())
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return repr(a) == repr(b)  # not a number equals itself here, and 0.0 differs from -0.0
    return a == b


def checkpoint():
    """A small file with one of everything."""
    return {
        "model": {"lstm.weight_ih_l0": mg.tensor([[1.5, -2.0], [0.25, 3.0]]), "bias": mg.zeros(0, 2)},
        "state": {0: {"step": 3, "exp_avg": np.arange(3.0)}, "0": (None, True, [1, 2.5, "text"])},
        "rng": {"state": 2**127 + 1},
        "best": math.inf,
    }


# ---- what goes in comes out

arrays = st.builds(
    lambda dtype, shape, seed: np.random.default_rng(seed).integers(0, 100, shape).astype(dtype),
    st.sampled_from(DTYPES),
    st.lists(st.integers(0, 3), max_size=3).map(tuple),
    st.integers(0, 99),
)
values = st.one_of(
    arrays,
    arrays.map(mg.tensor),
    arrays.filter(lambda a: a.ndim == 0).map(lambda a: a[()]),
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**200), 2**200),
    st.floats(),
    st.text(st.characters()),
)
names = st.sampled_from(["a", "b", "a.b", "a.b.0", "0", "", "~", "__metadata__"])
keys = st.one_of(names, st.integers(-1, 2), st.text(st.characters(), max_size=4))
objects = st.recursive(
    values,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.lists(inner, max_size=4).map(tuple), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("round")


@settings(max_examples=200, deadline=None)
@given(obj=objects)
def test_any_structure_comes_back_the_same(folder, obj):
    save(obj, folder / "file")
    assert same(load(folder / "file"), obj)
    assert os.listdir(folder) == ["file"]


@pytest.mark.parametrize(
    "obj",
    [
        {},
        [],
        None,
        mg.ones(2),
        {"a.b": mg.ones(1), "a": {"b": mg.zeros(1)}, "a.b~": np.ones(1)},
        {1: mg.ones(1), "1": mg.zeros(1)},
        {True: mg.ones(1), 2: 0},
        {"__metadata__": mg.ones(1), "": mg.zeros(1), "\ud800": np.ones(2), "\\ud800": np.zeros(2)},
        [10**5000, -(2**63), 2**63 - 1, -0.0, math.nan, -math.inf, "\ud800\0"],
        [np.float64(2.0), np.bool_(True), np.int8(-1), np.float32(math.nan)],
        ["list", "tensor"],
        ["dict", []],
        np.array(math.nan).view("u8").reshape(1).astype("u8").view("f8"),
        np.frombuffer(b"\x01\x00\xf8\x7f\x00\x00\x00\x80", "f4").copy(),
    ],
)
def test_unusual_objects_come_back_the_same(obj, tmp_path):
    save(obj, tmp_path / "file")
    assert same(load(tmp_path / "file"), obj)


@pytest.mark.parametrize("kind", ["PCG64", "MT19937", "Philox", "SFC64"])
def test_the_state_of_every_generator_comes_back(kind, tmp_path):
    source, copy = getattr(np.random, kind)(7), getattr(np.random, kind)(8)
    np.random.Generator(source).random(5)
    save(source.state, tmp_path / "file")
    copy.state = load(tmp_path / "file")
    assert np.array_equal(np.random.Generator(source).random(9), np.random.Generator(copy).random(9))


def test_minigrads_own_generator_resumes(tmp_path):
    save(mg.get_rng_state(), tmp_path / "file")
    expected = mg.rand(5)
    mg.set_rng_state(load(tmp_path / "file"))
    assert np.array_equal(mg.rand(5).numpy(), expected.numpy())


def test_arrays_of_any_layout_are_saved_by_value(tmp_path):
    base = np.arange(24, dtype="float32").reshape(4, 6)
    views = {
        "transposed": base.T,
        "strided": base[::2, 1::2],
        "backwards": base[:, ::-1],
        "broadcast": np.broadcast_to(base[0], (3, 6)),
        "big": base.astype(">f4"),
        "fortran": np.asfortranarray(base),
        "scalar": base[1, 1:2].reshape(()),
    }
    save([views, {name: mg.from_numpy(base).T for name in "ab"}], tmp_path / "file")
    arrays, tensors = load(tmp_path / "file")
    for name, array in arrays.items():
        assert np.array_equal(array, views[name]) and array.shape == views[name].shape and array.dtype == np.float32
        assert array.flags.writeable and array.flags.owndata and array.flags.c_contiguous
    assert np.array_equal(tensors["a"].numpy(), base.T)
    tensors["a"].assign_(0.0)
    assert np.array_equal(tensors["b"].numpy(), base.T)


def test_tensors_with_a_tape_are_saved_by_value(tmp_path):
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    save({"leaf": w, "result": w * 3.0}, tmp_path / "file")
    found = load(tmp_path / "file")
    assert found["leaf"].tolist() == [1.0, 2.0] and found["result"].tolist() == [3.0, 6.0]
    assert not found["leaf"].requires_grad and not found["result"].requires_grad
    (w * found["leaf"]).sum().backward()


def test_subclasses_come_back_as_what_they_are_derived_from(tmp_path):
    from collections import OrderedDict, namedtuple
    from enum import IntEnum

    pair, number = namedtuple("pair", "x y")(1, 2), IntEnum("number", {"one": 1}).one
    save(OrderedDict(pair=pair, number=number), tmp_path / "file")
    assert same(load(tmp_path / "file"), {"pair": (1, 2), "number": 1})


def test_the_same_object_gives_the_same_bytes(tmp_path):
    program = "from minigrad.io import save; import sys, numpy as np; save({'b': np.ones(3), 'a': [1, np.zeros(2, 'f4')]}, sys.argv[1])"
    for name in ("one", "two"):
        subprocess.run([sys.executable, "-c", program, str(tmp_path / name)], check=True)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_importing_minigrad_does_not_import_safetensors():
    program = "import minigrad, minigrad.io, sys; sys.exit('safetensors' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_what_only_some_need_is_imported_when_it_is_used():
    """numpy.random by whoever draws, layers and optimisers by whoever has them, io by whoever saves: two thirds of what an import took."""
    program = """
import sys, numpy
before = set(sys.modules)
import minigrad as mg
late = {"numpy.random", "hashlib", "json", "shutil", "minigrad.io", "minigrad.nn", "minigrad.optim"}
assert not late & (set(sys.modules) - before), late & (set(sys.modules) - before)
assert {"save", "load", "io", "nn", "optim", "summary"} <= set(dir(mg))
assert mg.summary is mg.nn.summary and mg.nn is sys.modules["minigrad.nn"] and callable(mg.optim.Adam)
assert mg.save is mg.io.save is sys.modules["minigrad.io"].save
from minigrad import load
assert load is mg.load
assert mg.random.generator is mg.random.generator
assert not hasattr(mg, "sav") and not hasattr(mg.random, "generators")
"""
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=False).returncode == 0


# ---- other programs' files


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_flat_dict_keeps_its_names_for_other_readers(dtype, tmp_path):
    state = {"encoder.lstm.weight_ih_l0": np.array([[1, 0, 2]], dtype), "bias": np.array(1, dtype), "größe": np.zeros((0, 4), dtype)}
    save({name: mg.tensor(array) for name, array in state.items()}, tmp_path / "file")
    found = load_file(tmp_path / "file")
    assert found.keys() == state.keys() and all(same(found[name], state[name]) for name in state)


def test_arrays_are_aligned_for_readers_that_map_the_file(tmp_path):
    save({"a": np.ones(3, "i1"), "b": np.ones(3, "f8"), "c": np.ones(1, "f2"), "d": np.ones(5, "f4")}, tmp_path / "file")
    data = (tmp_path / "file").read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    sizes = {"I8": 1, "F64": 8, "F16": 2, "F32": 4}
    assert length % 8 == 0
    assert all(entry["data_offsets"][0] % sizes[entry["dtype"]] == 0 for name, entry in header.items() if name != "__metadata__")


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}])
def test_a_file_made_elsewhere_loads_as_a_flat_dict_of_tensors(metadata, tmp_path):
    state = {f"layer.{dtype}": np.array([[1, 0, 2]], dtype) for dtype in DTYPES}
    save_file(state, tmp_path / "file", metadata=metadata)
    found = load(tmp_path / "file")
    assert found.keys() == state.keys()
    for name, value in found.items():
        assert type(value) is mg.Tensor and same(value.numpy(), state[name])
        value.assign_(np.zeros((), value.dtype))
        assert not value.requires_grad


def made(header, payload=b""):
    """A safetensors file from its parts."""
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + payload


def test_bfloat16_says_what_to_do(tmp_path):
    (tmp_path / "file").write_bytes(made({"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}, b"\0" * 4))
    with pytest.raises(CheckpointError, match=r"checkpoint '.*file': 'w' is BF16, which NumPy does not have: convert it to F32"):
        load(tmp_path / "file")


def test_a_boolean_made_elsewhere_of_another_byte_is_true(tmp_path):
    (tmp_path / "file").write_bytes(made({"w": {"dtype": "BOOL", "shape": [3], "data_offsets": [0, 3]}}, b"\0\1\2"))
    assert load(tmp_path / "file")["w"].numpy().tobytes() == b"\0\1\1"


def test_pytorchs_files_go_both_ways(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors import torch as files

    module = torch.nn.LSTM(3, 4, num_layers=2)
    files.save_file(module.state_dict(), tmp_path / "theirs")
    found = load(tmp_path / "theirs")
    assert all(np.array_equal(found[name].numpy(), value.numpy()) for name, value in module.state_dict().items())
    save(found, tmp_path / "mine")
    module.load_state_dict(files.load_file(tmp_path / "mine"))


# ---- damage


def rejected(path):
    with pytest.raises(CheckpointError) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_every_truncation_is_found(tmp_path):
    path = tmp_path / "file"
    save(checkpoint(), path)
    for length in reversed(range(path.stat().st_size)):
        os.truncate(path, length)
        rejected(path)


@pytest.mark.parametrize("more", [b"\0", b" ", b"{}", b"\n" * 8])
def test_anything_after_the_end_is_found(more, tmp_path):
    path = tmp_path / "file"
    save(checkpoint(), path)
    path.write_bytes(path.read_bytes() + more)
    rejected(path)


def test_every_flipped_bit_is_found(tmp_path):
    path = tmp_path / "file"
    save(checkpoint(), path)
    with open(path, "r+b", buffering=0) as file:
        for position, byte in enumerate(path.read_bytes()):
            for bit in range(8):
                file.seek(position)
                file.write(bytes([byte ^ 1 << bit]))
                rejected(path)
            file.seek(position)
            file.write(bytes([byte]))
    assert same(load(path), checkpoint())


def test_exchanged_tensors_are_found(tmp_path):
    """Two tensors of one shape that changed names: a checksum of the bytes alone would not see it."""
    save({"a": mg.ones(2), "b": mg.zeros(2)}, tmp_path / "file")
    data = (tmp_path / "file").read_bytes()
    (tmp_path / "file").write_bytes(data.replace(b'"a":{', b'"?":{').replace(b'"b":{', b'"a":{').replace(b'"?":{', b'"b":{'))
    rejected(tmp_path / "file")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04 a zip file of another program", "is damaged, or is no safetensors file"),
        (b"\x80\x04\x95 a pickle", "is damaged, or is no safetensors file"),
        (b"\xff" * 100, "is damaged, or is no safetensors file"),
        (made([]), "is damaged, or is no safetensors file"),
        (made({"w": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}}, b"\0" * 4), "is damaged"),
        (made({"w": {"dtype": "F32", "shape": [3], "data_offsets": [0, 4]}}, b"\0" * 4), "is damaged"),
        (made({"__metadata__": {"minigrad": '{"version": "2", "tree": ""}'}}), "has the format version '2', this minigrad reads '1'"),
        (made({"__metadata__": {"minigrad": "{}"}}), "description of its structure cannot be read"),
        (made({"__metadata__": {"minigrad": '{"version": "1", "tree": "[]"}'}}), "does not have the checksum"),
        (made({"__metadata__": {"minigrab": '{"sha256": "0"}'}}), "not under the name 'minigrad'"),
    ],
)
def test_files_that_are_no_checkpoint_say_so(data, message, tmp_path):
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(CheckpointError, match=message):
        load(tmp_path / "file")


@pytest.mark.parametrize(
    "tree",
    [
        "", "{", "[1]", '["dict"]', '["dict", 3]', '["dict", [[["list", []], 1]]]', '["tensor", "b"]', '["tensor", ["a"]]', "1", "9" * 5000,
        '["list", [["tensor", "a"], ["tensor", "a"]]]', '["int", "0xzz"]', '["int", 3]', '["os.system", "ls"]', '[["list"], 1]',
        "[" * 100_000, '["list", [' * 5000,
    ],
)  # fmt: skip
def test_a_forged_structure_with_the_right_checksum_is_refused(tree, tmp_path):
    (tmp_path / "file").write_bytes(io.encode(tree, {"a": np.ones(2)}))
    with pytest.raises(CheckpointError, match="has a structure that"):
        load(tmp_path / "file")


def test_missing_files_and_folders_stay_os_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="none"):
        load(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)


# ---- what cannot be saved


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ({"model": {"lstm": [1, len]}}, r"obj\['model'\]\['lstm'\]\[1\] is a builtin_function_or_method"),
        ({"a": {0: object()}}, r"obj\['a'\]\[0\] is a object"),
        (print, "save: obj is a builtin"),
        ({"a": {1, 2}}, r"obj\['a'\] is a set"),
        ({"a": b"bytes"}, r"obj\['a'\] is a bytes"),
        ({"a": 1j}, r"obj\['a'\] is a complex"),
        ({"a": np.ones(2, "complex64")}, r"obj\['a'\] is an array of dtype complex64; a checkpoint holds float64, float32"),
        ({"a": np.array(["x"])}, "array of dtype <U1"),
        ({"a": np.array([None])}, "array of dtype object"),
        ({"a": np.longdouble(1)}, "array of dtype float128|array of dtype longdouble"),
        ({"a": np.ma.array([1.0], mask=[True])}, "is a MaskedArray"),
        ({"a": {(1, 2): 3}}, r"obj\['a'\] has the key \(1, 2\), a tuple: keys are strings and ints"),
        ({1.5: 3}, "obj has the key 1.5, a float"),
        ({np.str_("x"): 3}, "has the key .*'x'.*, a str_"),
    ],
)
def test_what_is_not_data_is_named_before_anything_is_written(obj, message, tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(TypeError, match=message):
        save(obj, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_an_object_that_contains_itself_is_refused(tmp_path):
    obj = {}
    obj["self"] = [obj]
    with pytest.raises(ValueError, match="contains itself"):
        save(obj, tmp_path / "file")
    assert not os.listdir(tmp_path)


def test_a_structure_that_no_reader_would_take_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(io, "LONGEST_HEADER", 1000)
    with pytest.raises(ValueError, match="put long lists into arrays"):
        save(list(range(1000)), tmp_path / "file")
    assert not os.listdir(tmp_path)


def test_targets_that_cannot_be_written_are_clear_os_errors(tmp_path, monkeypatch):
    with pytest.raises(IsADirectoryError, match="not a regular file"):
        save({}, tmp_path)
    with pytest.raises(OSError, match="not a regular file"):
        save({}, os.devnull)
    with pytest.raises(FileNotFoundError, match="save: no such folder: .*none"):
        save({}, tmp_path / "none" / "file")
    (tmp_path / "file").write_bytes(b"old")
    for locked in (tmp_path, tmp_path / "file"):
        monkeypatch.setattr(os, "access", lambda path, mode, locked=locked: path != locked)
        with pytest.raises(PermissionError, match=f"no permission to write: '{locked}'"):
            save({}, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


# ---- the whole new file or the whole old one


class Full:
    """A file on a full disk: takes the first half, then no more."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.file.close()

    def write(self, piece):
        self.file.write(piece[: len(piece) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("problem", [OSError(errno.EIO, "input/output error"), KeyboardInterrupt(), SystemExit(), MemoryError()])
@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_save_that_is_cut_short_leaves_the_old_file_and_nothing_else(step, problem, exists, tmp_path, monkeypatch):
    if exists:
        save({"old": mg.ones(3)}, tmp_path / "file")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(*_):
        assert len(os.listdir(tmp_path)) == len(before) + 1
        raise problem

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(problem)):
        save({"new": mg.zeros(3)}, tmp_path / "file")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    save({"old": mg.ones(3)}, tmp_path / "file")
    before = (tmp_path / "file").read_bytes()
    monkeypatch.setattr(builtins, "open", lambda *arguments, original=open: Full(original(*arguments)))
    with pytest.raises(OSError, match="No space left"):
        save({"new": mg.zeros(3)}, tmp_path / "file")
    monkeypatch.undo()
    assert (tmp_path / "file").read_bytes() == before and os.listdir(tmp_path) == ["file"]


def test_the_file_is_on_disk_before_it_is_renamed_and_the_folder_after(tmp_path, monkeypatch):
    order = []

    def note(name, original, *arguments):
        order.append(f"{name} folder" if name == "fsync" and stat.S_ISDIR(os.fstat(arguments[0]).st_mode) else name)
        return original(*arguments)

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, functools.partial(note, name, getattr(os, name)))
    save({"a": mg.ones(1)}, tmp_path / "file")
    assert order == (["fsync", "replace", "fsync folder"] if os.name == "posix" else ["fsync", "replace"])


@pytest.mark.skipif(os.name != "posix", reason="folders cannot be synchronised here")
def test_a_file_system_without_folder_synchronisation_is_no_failure_and_other_faults_are(tmp_path, monkeypatch):
    def fail(code, original, descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, "told by the test")
        return original(descriptor)

    original = os.fsync
    monkeypatch.setattr(os, "fsync", functools.partial(fail, errno.EINVAL, original))
    save({"a": 1}, tmp_path / "file")
    monkeypatch.setattr(os, "fsync", functools.partial(fail, errno.EIO, original))
    with pytest.raises(OSError, match="told by the test"):
        save({"a": 2}, tmp_path / "file")
    assert load(tmp_path / "file") == {"a": 2}  # it was renamed before: whole all the same


@pytest.mark.skipif(os.name != "posix", reason="no such modes and links here")
def test_modes_and_links_of_an_existing_file_stay(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "file")
    save({"a": 1}, tmp_path / "link")
    (tmp_path / "folder" / "file").chmod(0o600)
    save({"a": 2}, str(tmp_path / "link"))
    assert (tmp_path / "link").is_symlink() and stat.S_IMODE((tmp_path / "folder" / "file").stat().st_mode) == 0o600
    assert load(tmp_path / "folder" / "file") == {"a": 2} and os.listdir(tmp_path / "folder") == ["file"]


def test_a_process_killed_while_saving_leaves_the_old_file(tmp_path):
    save({"a": 1}, tmp_path / "file")
    program = (
        "import os, sys, numpy as np; from minigrad.io import save\n"
        "os.fsync = lambda _: os.kill(os.getpid(), 9)\n"
        "save({'a': np.ones(10)}, sys.argv[1])"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path / "file")]).returncode != 0
    assert load(tmp_path / "file") == {"a": 1}
