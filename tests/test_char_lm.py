"""The character model: its text tools by their properties, its script by what a user sees in a terminal."""

from __future__ import annotations

import math
import os
import runpy
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scripts
from hypothesis import given
from hypothesis import strategies as st
from scripts import ENVIRONMENT, EXAMPLES

import minigrad as mg
from minigrad import data
from minigrad.data import text as text_module

SCRIPT = EXAMPLES / "char_lm.py"
SIZES = ["--characters", "4000", "--embedding", "5", "--hidden", "8", "--batch", "4", "--window", "60"]  # 15 steps a pass
TINY = [*SIZES, "--steps", "20", "--threads", "1"]


def run(*words, code=0, cwd=None):
    """The script with these words on its command line, and what it printed."""
    return scripts.run("char_lm.py", *words, code=code, cwd=cwd)


def files(folder):
    """Every file below a folder, and its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a short run, and what training printed."""
    out = tmp_path_factory.mktemp("run") / "lstm"
    return out, run("--out", out, *TINY)


@pytest.fixture(scope="module")
def example():
    """The script as a module."""
    return scripts.load("char_lm.py")


# ---- text


@given(st.text(min_size=1), st.data())
def test_what_is_encoded_decodes_to_itself(text, draw):
    vocabulary = data.Vocabulary(text)
    part = draw.draw(st.text(alphabet=list(vocabulary.symbols)))
    codes = vocabulary.encode(part)
    assert vocabulary.decode(codes) == part
    assert codes.dtype == np.int64 and list(vocabulary.symbols) == sorted(set(text))


def test_unknown_symbols_are_named():
    with pytest.raises(data.TextError, match=r"'é' '…'"):
        data.Vocabulary("abc").encode("aébc…é")
    with pytest.raises(data.TextError, match=r"and 16 more"):
        data.Vocabulary("0").encode("abcdefghijklmnopqrstuvwxyz")
    with pytest.raises(data.TextError, match=r"'a'"):
        data.Vocabulary("").encode("a")


@given(st.integers(2, 300), st.integers(1, 9), st.integers(1, 40))
def test_a_pass_reads_every_character_once_in_order(size, batch, length):
    codes = np.arange(size)
    if (size - 1) // batch < length:
        with pytest.raises(data.TextError, match="shorter than a window"):
            data.Stream(codes, batch, length)
        return
    stream = data.Stream(codes, batch, length)
    inputs, targets = (np.concatenate(side, axis=1) for side in zip(*map(stream.at, range(stream.windows)), strict=True))
    np.testing.assert_array_equal(inputs.reshape(-1), codes[: inputs.size])
    np.testing.assert_array_equal(targets, inputs + 1)
    assert size - 1 - targets.size < batch and stream.characters == targets.size
    assert all(stream.at(i)[0].shape == (batch, length) for i in range(stream.windows - 1))


def test_a_position_is_all_there_is_to_restore():
    stream = data.Stream(np.arange(1000), 3, 7)
    for position in (0, 1, stream.windows - 1, stream.windows, 3 * stream.windows + 5):
        again = data.Stream(np.arange(1000), 3, 7)
        np.testing.assert_array_equal(stream.at(position), again.at(position % stream.windows))
        assert stream.starts(position) == (position % stream.windows == 0)


def test_nothing_beats_chance_on_random_text():
    draws = np.random.default_rng(0).integers(0, 16, 60_000)
    text = "".join("abcdefghijklmnop"[i] for i in draws)
    bits = data.baselines(*data.split_text(text))
    assert bits["uniform"] == 4.0
    assert all(3.98 < value < 4.6 for value in bits.values()), bits
    assert bits["unigram"] < 4.01 and bits["bigram"] < 4.05


def test_the_bigram_reaches_the_entropy_of_a_markov_chain():
    random, states = np.random.default_rng(0), [0]
    for step in random.random(50_000) < 0.1:  # each symbol is followed by the next of 8, one time in ten by the one after
        states.append((states[-1] + 1 + step) % 8)
    bits = data.baselines(*data.split_text("".join("abcdefgh"[i] for i in states)))
    entropy = -(0.1 * math.log2(0.1) + 0.9 * math.log2(0.9))
    assert abs(bits["bigram"] - entropy) < 0.03 and abs(bits["unigram"] - 3) < 0.01


@given(st.text("abc", min_size=1), st.integers(0, 3))
def test_the_bigram_gives_probabilities(train, previous):
    """Over all that may follow a symbol they add up to one, also after a symbol that was never seen."""
    codes = data.Vocabulary("abcd").encode(train + "abcd"[previous])
    follow = [text_module.bigram_bits(codes, np.array([symbol]), 4) for symbol in range(4)]
    assert abs(sum(2**-bits for bits in follow) - 1) < 1e-9


def test_compressors_count_what_the_rest_adds():
    text = "".join(chr(97 + i) for i in np.random.default_rng(1).integers(0, 26, 4000))
    bits = data.baselines(text, text)  # a copy of what was seen is almost free
    assert bits["xz"] < 0.2 < 4.6 < bits["unigram"]


def test_the_reference_has_no_paragraph_twice():
    text = data.python_reference()
    paragraphs = text.split("\n\n")
    assert len(set(paragraphs)) == len(paragraphs) and len(text) > 300_000
    assert text == data.python_reference()


def test_plays_that_are_not_those_plays_are_refused(tmp_path):
    (tmp_path / text_module.PLAYS).write_bytes(b"something else")
    with pytest.raises(data.TextError, match="SHA-256 differs"):
        data.shakespeare(tmp_path)


# ---- the model


def test_a_model_that_knows_nothing_needs_log2_of_the_symbols(example):
    model = example.CharLM(32, embedding=3, hidden=4)
    model.load_state_dict({name: np.zeros(p.shape, np.float32) for name, p in model.named_parameters()})
    stream = data.Stream(np.random.default_rng(0).integers(0, 32, 500), 4, 9)
    assert example.held_out_bits(model, stream) == pytest.approx(5.0, abs=1e-6)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_held_out_bits_do_not_depend_on_the_windows(example, cell):
    """Because the state is carried: forget it at a border, and the numbers differ."""
    model = example.CharLM(16, cell, embedding=8, hidden=12, layers=2)
    codes = np.random.default_rng(0).integers(0, 16, 601)
    whole, pieces = (example.held_out_bits(model, data.Stream(codes, 3, length)) for length in (200, 7))
    fresh = np.mean([example.held_out_bits(model, data.Stream(codes[i : i + 8], 1, 7)) for i in range(0, 593, 7)])
    assert pieces == pytest.approx(whole, abs=1e-6) and abs(fresh - whole) > 1e-5


def test_the_gradient_stops_at_the_border_of_a_window(example):
    model = example.CharLM(16, embedding=8, hidden=12)
    optimizer = example.optim.Adam(model.parameters())
    x, y = data.Stream(np.arange(65) % 16, 4, 16).at(0)
    _, state = example.learn(model, optimizer, x, y, None, 1.0)
    assert len(state) == 2 and not any(part.requires_grad for part in state)


def test_a_restored_run_draws_the_same_numbers(example, tmp_path):
    settings = {name: quick for name, (_, quick, _, _) in example.OPTIONS.items()} | {"corpus": "python", "text": ""}
    run = example.Run(settings)
    mg.rand(7)
    run.save(tmp_path / "run.safetensors")
    draws = mg.rand(5).tolist()
    again = example.Run(settings)
    again.restore(mg.load(tmp_path / "run.safetensors"))
    assert mg.rand(5).tolist() == draws


# ---- the script


def test_training_says_and_leaves_what_it_should(trained):
    out, done = trained
    for words in ("PSF License", "4,000 characters", "SHA-256", "lstm of 8 units", "20 steps, 15 a pass", "---- temperature 0.5"):
        assert words in done.stdout
    rows = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ") and line.split()[1][0].isdigit()]
    assert {"uniform", "unigram", "bigram", "bz2", "xz"} <= set(rows)
    assert "characters a second" in done.stderr and "bits a character on held-out text" in done.stderr
    assert sorted(files(out)) == ["checkpoint.safetensors", "curve.png", "samples.txt"]
    assert (out / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "samples.txt").read_text() in done.stdout
    saved = mg.load(out / "checkpoint.safetensors")
    assert saved["position"] == len(saved["curve"]) == 20 and list(saved["tests"]) == [15, 20]
    assert saved["curve"][-1] < saved["curve"][0]


@pytest.mark.parametrize(
    ("stop", "options"),
    [(7, []), (15, ["--cell", "gru"]), (19, ["--cell", "rnn", "--layers", "2"])],
    ids=["lstm", "gru after a pass", "two rnn before the end"],
)
def test_a_resumed_run_ends_in_the_bits_of_an_unbroken_one(trained, tmp_path, stop, options):
    whole, broken = trained[0] if not options else tmp_path / "whole", tmp_path / "broken"
    if options:
        run("--out", whole, *TINY, *options)
    done = run("--out", broken, *TINY, *options, "--stop-at", stop, code=130)
    assert f"stopped after step {stop} of 20" in done.stderr
    command = shlex.split(done.stderr.splitlines()[-1].split("to go on: ")[1])
    assert command[0] == sys.executable and Path(command[1]) == SCRIPT
    assert mg.load(broken / "checkpoint.safetensors")["position"] == stop
    run(*command[2:])
    for name in ("checkpoint.safetensors", "samples.txt"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()


def test_ctrl_c_saves(tmp_path):
    command = [sys.executable, str(SCRIPT), "--out", str(tmp_path), *SIZES, "--steps", "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        process.stderr.readline()  # the first line on progress: training is under way
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "to go on:" in errors and "Traceback" not in errors
    saved = mg.load(tmp_path / "checkpoint.safetensors")
    assert 0 < saved["position"] == len(saved["curve"]) < 100_000
    assert "---- temperature" in run("sample", "--out", tmp_path, "--length", 5).stdout


def test_a_new_run_keeps_the_old_one(tmp_path):
    run("--out", tmp_path, *SIZES, "--steps", 3, "--length", 3)
    before = files(tmp_path)
    run("--out", tmp_path, *SIZES, "--steps", 4, "--length", 3)
    assert {f"earlier-1/{name}": content for name, content in before.items()}.items() <= files(tmp_path).items()
    assert mg.load(tmp_path / "checkpoint.safetensors")["position"] == 4


def test_a_finished_run_can_go_on_for_longer(trained, tmp_path):
    run("--out", tmp_path, *SIZES, "--steps", "15")
    done = run("resume", "--out", tmp_path, "--steps", "20", "--hidden", 8)
    assert "after 20 steps" in done.stdout
    ours, whole = (mg.load(folder / "checkpoint.safetensors") for folder in (tmp_path, trained[0]))
    for name, values in whole["model"].items():
        np.testing.assert_array_equal(ours["model"][name], values)


def test_samples_follow_their_settings(trained):
    def sample(*words):
        return run("sample", "--out", trained[0], "--length", 30, "--prompt", "The", *words).stdout

    assert sample("--top-k", 1, "--seed", 1) == sample("--top-k", 1, "--seed", 2)
    assert sample("--seed", 1) == sample("--seed", 1) != sample("--seed", 2)
    coldest = sample("--temperature", 1e-300).splitlines()
    assert coldest[1:] == sample("--top-k", 1, "--temperature", 1).splitlines()[1:]
    assert coldest[0] == "---- temperature 1e-300" and coldest[1].startswith("The")


def test_without_matplotlib_and_tqdm_it_says_so_and_goes_on(tmp_path, monkeypatch, capsys):
    for name in ("matplotlib", "tqdm"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--out", str(tmp_path), *SIZES, "--steps", "2", "--threads", "3"])
    for library in ("OPENBLAS", "MKL", "OMP", "VECLIB_MAXIMUM"):
        monkeypatch.setenv(f"{library}_NUM_THREADS", "1")
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert end.value.code == 0
    assert "needs matplotlib" in capsys.readouterr().out
    assert sorted(files(tmp_path)) == ["checkpoint.safetensors", "samples.txt"]
    assert os.environ["OPENBLAS_NUM_THREADS"] == "3"


def test_quick_is_the_whole_of_it(tmp_path):
    done = run("--quick", "--out", tmp_path, "--steps", 3)
    assert "lstm of 64 units" in done.stdout and "40,000 characters" in done.stdout


BAD = {
    "no such file": (["--text", "nowhere.txt"], "cannot read"),
    "a folder": (["--text", "."], "cannot read"),
    "empty": (["--text", "empty.txt"], "too little to learn from"),
    "one symbol": (["--text", "one.txt"], "too little to learn from"),
    "not UTF-8": (["--text", "latin.txt"], "is not UTF-8 text: byte 1 is 0xe9"),
    "short": (["--text", "short.txt"], "shorter than a window of 64"),
    "window": ([*SIZES[:-1], "5000"], "shorter than a window of 5000"),
    "prompt": (["--prompt", "\N{SNOWMAN}", *TINY], "unknown symbols '\N{SNOWMAN}'"),
    "hidden": (["--hidden", "0"], "'0' is not a whole number above 0"),
    "batch": (["--batch", "-4"], "'-4' is not a whole number above 0"),
    "lr": (["--lr", "nan"], "'nan' is not a number above 0"),
    "temperature": (["--temperature", "0"], "'0' is not a number above 0"),
    "top-k": (["sample", "--top-k", "0"], "'0' is not a whole number above 0"),
    "threads": (["--threads", "many"], "'many' is not a whole number above 0"),
    "cell": (["--cell", "transformer"], "invalid choice: 'transformer'"),
    "two texts": (["--text", "one.txt", "--corpus", "python"], "not allowed with"),
    "unknown option": (["--hiden", "3"], "unrecognized arguments: --hiden 3"),
    "out is a file": (["--out", "one.txt", *TINY], "one.txt: "),
    "overflow": (["--lr", "1e38", *TINY], "try a smaller --lr"),
    "nothing to resume": (["resume", "--out", "nowhere"], "train first"),
    "nothing to sample": (["sample", "--out", "nowhere"], "train first"),
    "other sizes": (["resume", "--hidden", "9"], "has --hidden 8, not 9"),
    "unknown prompt": (["sample", "--prompt", "\N{SNOWMAN}"], "unknown symbols '\N{SNOWMAN}'"),
    "damaged": (["sample", "--out", "damaged"], "is damaged"),
    "truncated": (["resume", "--out", "truncated"], "is damaged"),
    "of another program": (["resume", "--out", "other"], "another program"),
    "weights of other sizes": (["sample", "--out", "sizes"], "model does not fit the sizes"),
    "weights to go on from of other sizes": (["resume", "--out", "sizes", "--steps", "2000"], "model does not fit the sizes"),
    "half a checkpoint": (["sample", "--out", "half"], "lacks model"),
    "another text": (["resume", "--out", "changed"], "the text is not the one"),
}


@pytest.fixture(scope="module")
def desk(trained, tmp_path_factory):
    """A folder with a finished run, and files of every kind that will not do."""
    desk = tmp_path_factory.mktemp("desk")
    checkpoint = (trained[0] / "checkpoint.safetensors").read_bytes()
    changed = mg.load(trained[0] / "checkpoint.safetensors")
    changed["settings"]["characters"] = 3999
    sizes = mg.load(trained[0] / "checkpoint.safetensors")
    sizes["settings"]["hidden"] = 99
    half = {name: value for name, value in sizes.items() if name != "model"}
    for name in ("runs/char_lm", "damaged", "truncated", "other", "changed", "sizes", "half"):
        (desk / name).mkdir(parents=True)
    (desk / "runs/char_lm/checkpoint.safetensors").write_bytes(checkpoint)
    (desk / "damaged/checkpoint.safetensors").write_bytes(checkpoint[:-1] + bytes([checkpoint[-1] ^ 1]))
    (desk / "truncated/checkpoint.safetensors").write_bytes(checkpoint[:1000])
    mg.save({"weights": mg.ones(3)}, desk / "other/checkpoint.safetensors")
    mg.save(changed, desk / "changed/checkpoint.safetensors")
    mg.save(sizes, desk / "sizes/checkpoint.safetensors")
    mg.save(half, desk / "half/checkpoint.safetensors")
    contents = {"empty": b"", "one": b"a" * 9000, "latin": "né ".encode("latin-1") * 99, "short": b"The end. " * 50}
    for name, content in contents.items():
        (desk / f"{name}.txt").write_bytes(content)
    return desk


@pytest.mark.parametrize(("words", "reason"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_done_is_said_in_a_sentence(desk, words, reason):
    before = files(desk)
    done = run(*words, code=2, cwd=desk)
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("step ", "pass "))]
    assert len(lines) == 1 and lines[0].startswith("char_lm.py: ") and reason in lines[0]
    assert files(desk) == before
