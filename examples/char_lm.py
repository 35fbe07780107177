"""Train a character language model: an LSTM reads a text, learns to guess the next character, then writes some of its own.

    python examples/char_lm.py                                    train on the language reference inside Python: no download
    python examples/char_lm.py sample --prompt "The " --temperature 0.5
    python examples/char_lm.py resume                             go on after Ctrl-C, to the same bits as a run without a break
    python examples/char_lm.py --quick                            the whole of it in a few seconds, on a small piece
    python examples/char_lm.py --text book.txt --out runs/book    any text in UTF-8

The lesson is truncated backpropagation through time. A text is one long sequence, too long to be differentiated whole. So it
is read in windows of 64 characters; the state of the LSTM goes on from window to window, the gradient stops at each border. The
measure is bits per character on the last tenth of the text, which training never sees.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import shlex
import signal
import sys
from pathlib import Path

from _pictures import loss_curve
from _support import Parser, Progress, Refusal, number, set_aside, threads_option

THREADS = threads_option(__name__ == "__main__")  # before NumPy is imported

import numpy as np  # noqa: E402

import minigrad as mg  # noqa: E402
from minigrad import data, nn, optim  # noqa: E402

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
CORPORA = {"python": data.python_reference, "shakespeare": data.shakespeare}
OPTIONS = {  # what a run is, in its checkpoint too: (default, default with --quick, type, meaning)
    "characters": (0, 40_000, number(int, -1), "read only the first N characters of the text, or with 0 all"),
    "cell": ("lstm", "lstm", str, "kind of recurrent layer"),
    "embedding": (64, 16, number(int), "numbers that stand for a character"),
    "hidden": (256, 64, number(int), "units of a recurrent layer"),
    "layers": (1, 1, number(int), "recurrent layers, one on top of the other"),
    "batch": (32, 16, number(int), "rows the text is cut into, read side by side"),
    "window": (64, 32, number(int), "characters a window, through which the gradient flows"),
    "lr": (3e-3, 1e-2, number(float), "learning rate of Adam"),
    "clip": (1.0, 1.0, number(float), "largest norm of a gradient"),
    "seed": (0, 0, number(int, -1), "seed of the initial weights and of the samples"),
}
SAVED = {"settings", "symbols", "sha256", "model", "optimizer", "rng", "position", "state", "curve", "tests"}  # see Run.save
CHECKPOINT, CURVE, SAMPLES = FILES = "checkpoint.safetensors", "curve.png", "samples.txt"


# ---- the model, how it learns, how it is measured, how it writes


class CharLM(nn.Module):
    """Embedding, recurrent layers, and a linear layer to the scores of the next character."""

    def __init__(self, symbols, cell="lstm", embedding=64, hidden=256, layers=1):
        super().__init__()
        self.embedding = nn.Embedding(symbols, embedding)
        self.rnn = CELLS[cell](embedding, hidden, num_layers=layers)
        self.head = nn.Linear(hidden, symbols)

    def forward(self, x, state=None):
        """Scores (T, B, V) of what follows each of the characters x (T, B), and the state to go on from."""
        out, state = self.rnn(self.embedding(x), state)
        return self.head(out), state


def window_loss(model, x, y, state):
    """Mean of -log p(character that came) over a window, and the state after it."""
    scores, state = model(x.T, state)
    return nn.cross_entropy(scores.reshape(-1, scores.shape[-1]), y.T.reshape(-1)), state


def learn(model, optimizer, x, y, state, clip):
    """One step of truncated backpropagation through time: the loss, and the state for the next window without its history."""
    loss, state = window_loss(model, x, y, state)
    optimizer.zero_grad()
    loss.backward()
    try:
        optimizer.step(max_norm=clip)
    except RuntimeError as problem:
        raise Refusal(f"training broke down, with a loss of {loss.item()}: try a smaller --lr ({problem})") from problem
    return loss.item(), mg.detach(state)


@mg.no_grad()
def held_out_bits(model, stream):
    """Bits per character over a stream, the state carried from its first window to its last."""
    total, state = 0.0, None
    for position in range(stream.windows):
        x, y = stream.at(position)
        loss, state = window_loss(model, x, y, state)
        total += loss.item() * y.size
    return total / stream.characters / math.log(2)


@mg.no_grad()
def write(model, vocabulary, prompt, length, temperature, top_k=None):
    """`prompt` and `length` characters after it, each drawn from softmax(scores / temperature), from the top_k best if given."""
    fed = text = vocabulary.encode(prompt)
    state = None
    for _ in range(length):
        scores, state = model(fed[:, None], state)
        last = scores.numpy()[-1, 0].astype(np.float64)
        with np.errstate(over="ignore"):  # a temperature next to 0 leaves the best symbol alone
            last = (last - last.max()) / temperature
        if top_k is not None and top_k < len(last):
            last[last < np.sort(last)[-top_k]] = -np.inf
        p = np.exp(last)
        fed = mg.random.generator.choice(len(p), size=1, p=p / p.sum())
        text = np.concatenate([text, fed])
    return vocabulary.decode(text)


# ---- a run, and its checkpoint: everything the next step depends on


class Run:
    """A model in training: its text, its optimiser, and how far it is. `settings` hold OPTIONS and where the text comes from."""

    def __init__(self, settings):
        self.settings, batch, window = settings, settings["batch"], settings["window"]
        text = data.read_text(settings["text"]) if settings["text"] else CORPORA[settings["corpus"]]()
        text = text[: settings["characters"] or None]
        self.digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
        self.vocabulary = data.Vocabulary(text)
        self.learned, self.held = data.split_text(text)
        if len(self.vocabulary) < 2 or len(self.held) < 2:
            raise Refusal(f"a text of {len(text)} characters, {len(self.vocabulary)} of them different, is too little to learn from")
        self.stream = data.Stream(self.vocabulary.encode(self.learned), batch, window)
        rows = min(batch, len(self.held) - 1)
        self.held_stream = data.Stream(self.vocabulary.encode(self.held), rows, min(window, (len(self.held) - 1) // rows))
        mg.manual_seed(settings["seed"])
        self.model = new_model(self.vocabulary, settings)
        self.optimizer = optim.Adam(self.model.parameters(), lr=settings["lr"])
        self.step, self.state = 0, None
        self.curve, self.tests = [], {}  # bits per character: of each window learned from; of the held-out text, after a step

    def save(self, path):
        """Write all of it to one file, for `restore`."""
        saved = {"program": "char_lm", "settings": self.settings, "symbols": self.vocabulary.symbols, "sha256": self.digest}
        saved |= {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "rng": mg.get_rng_state()}
        saved |= {"position": self.step, "state": self.state, "curve": np.array(self.curve), "tests": self.tests}
        mg.save(saved, path)

    def restore(self, saved):
        """Be where the run was that saved this."""
        if saved["sha256"] != self.digest:
            raise Refusal(f"the text is not the one this run began with: its SHA-256 was {saved['sha256']}, now it is {self.digest}")
        fit(saved, ("model", self.model), ("optimizer", self.optimizer))
        mg.set_rng_state(saved["rng"])
        self.step, self.state, self.curve, self.tests = saved["position"], saved["state"], saved["curve"].tolist(), saved["tests"]


def new_model(vocabulary, settings):
    """The model that the settings of a run describe."""
    return CharLM(len(vocabulary), *[settings[name] for name in ("cell", "embedding", "hidden", "layers")])


def checkpoint(out):
    """What the checkpoint in the folder `out` holds."""
    path = Path(out) / CHECKPOINT
    if not path.exists():
        raise Refusal(f"there is no {path}: train first, or say with --out where the run is")
    try:
        saved = mg.load(path)
    except ValueError as error:
        raise Refusal(str(error)) from error
    if not isinstance(saved, dict) or saved.get("program") != "char_lm":
        raise Refusal(f"{path} is a checkpoint of another program")
    if missing := sorted(SAVED - saved.keys()):
        raise Refusal(f"{path} lacks {', '.join(missing)}: it was not written whole")
    return saved


def fit(saved, *parts):
    """Load what was saved into the parts of a run of these names; weights of other sizes are refused in a sentence."""
    for name, part in parts:
        try:
            part.load_state_dict(saved[name])
        except ValueError as error:
            raise Refusal(
                f"the checkpoint's {name} does not fit the sizes that its settings give: {' '.join(str(error).split())}"
            ) from error


# ---- training


def train(run, out, stop_at, new):
    """Train to the last step, with a checkpoint after each pass. Ctrl-C saves one and raises KeyboardInterrupt."""
    steps, stream = run.settings["steps"], run.stream
    progress, pressed = Progress(run, steps), []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(True))  # the step under way is finished: half of one is no state
    try:
        while run.step < steps:
            x, y = stream.at(run.step)
            state = None if stream.starts(run.step) else run.state
            loss, run.state = learn(run.model, run.optimizer, x, y, state, run.settings["clip"])
            run.step += 1
            run.curve.append(loss / math.log(2))
            progress.show(run)
            passed, stopped = stream.starts(run.step) or run.step == steps, pressed or run.step == stop_at
            if passed:
                run.tests[run.step] = held_out_bits(run.model, run.held_stream)
                progress.say(f"pass {run.step / stream.windows:.4g}: {run.tests[run.step]:.3f} bits a character on held-out text")
            if passed or stopped:
                if new:
                    set_aside(out, FILES)
                    new = False
                run.save(out / CHECKPOINT)
            if stopped:
                raise KeyboardInterrupt
    finally:
        progress.close()
        signal.signal(signal.SIGINT, before)


# ---- what a run leaves: a table, a picture, some text of its own


def finish(run, arguments, out):
    """The table, the picture and the samples of a run whose training is over."""
    lines, ours = data.baselines(run.learned, run.held), f"this {run.settings['cell'].upper()}"
    print("\nbits a character on the held-out text (bz2 and xz copy whole phrases, which a reference manual repeats)")
    for name, bits in sorted({**lines, ours: run.tests[run.step]}.items(), key=lambda row: -row[1]):
        print(f"  {name:10s} {bits:.3f}" + (f"  after {run.step} steps" if name == ours else ""))
    loss_curve(run, lines, out / CURVE)
    mg.manual_seed(run.settings["seed"])
    text = samples(run.model, run.vocabulary, arguments)
    (out / SAMPLES).write_text(text, encoding="utf-8")
    print(f"\n{text}\n{out} holds {', '.join(name for name in FILES if (out / name).exists())}")


def samples(model, vocabulary, arguments):
    """A text of the model's own for each temperature, under a heading."""
    prompt = arguments.prompt or ("The " if set("The ") <= set(vocabulary.symbols) else vocabulary.symbols[0])
    texts = [(t, write(model, vocabulary, prompt, arguments.length, t, arguments.top_k)) for t in arguments.temperature]
    return "\n".join(f"---- temperature {t:g}\n{text.strip()}\n" for t, text in texts)


# ---- the commands


def train_command(arguments):
    """A new run. The files of an earlier run in DIR are kept, in DIR/earlier-1 (-2, ...), once the new one has a checkpoint."""
    settings = {name: getattr(arguments, name) for name in OPTIONS}
    settings |= {"corpus": arguments.corpus, "text": str(Path(arguments.text).resolve()) if arguments.text else ""}
    return go(Run(settings), arguments, new=True)


def resume_command(arguments):
    """A run goes on after Ctrl-C, or for more passes than were planned."""
    saved = checkpoint(arguments.out)
    for name in OPTIONS:
        if (given := getattr(arguments, name)) not in (None, saved["settings"][name]):
            raise Refusal(f"the run in {arguments.out} has --{name} {saved['settings'][name]}, not {given}: resume cannot change it")
    run = Run(saved["settings"])
    run.restore(saved)
    return go(run, arguments, new=False)


def go(run, arguments, new):
    """Say what will be trained, refuse at once what would fail at the end, train, finish."""
    run.vocabulary.encode(arguments.prompt)
    out, stream, settings = Path(arguments.out), run.stream, run.settings
    if arguments.steps or arguments.passes:
        settings["steps"] = arguments.steps or arguments.passes * stream.windows
    if settings["steps"] <= run.step and run.step not in run.tests:
        raise Refusal(f"the run in {out} has done {run.step} steps already: ask for more with --steps or --passes")
    out.mkdir(parents=True, exist_ok=True)
    print(f"text      {settings['text'] or data.LICENCES[settings['corpus']]}")
    print(f"          {len(run.learned) + len(run.held):,} characters, {len(run.vocabulary)} symbols, SHA-256 {run.digest}")
    print(f"          {len(run.learned):,} to learn from, the last {len(run.held):,} held out")
    print(f"model     {settings['cell']} of {settings['hidden']} units, {sum(p.size for p in run.model.parameters()):,} parameters")
    print(f"training  {settings['steps']} steps, {stream.windows} a pass, of {stream.batch} x {stream.length} characters", flush=True)
    try:
        train(run, out, arguments.stop_at, new)
    except KeyboardInterrupt:
        command = [sys.executable, sys.argv[0], "resume", "--out", str(out)]
        command += ["--threads", str(arguments.threads)] if arguments.threads else []
        print(f"stopped after step {run.step} of {settings['steps']}; to go on: {shlex.join(command)}", file=sys.stderr)
        return 130
    finish(run, arguments, out)
    return 0


def sample_command(arguments):
    """Text from a trained model."""
    saved = checkpoint(arguments.out)
    vocabulary = data.Vocabulary(saved["symbols"])
    model = new_model(vocabulary, saved["settings"])
    fit(saved, ("model", model))
    mg.manual_seed(arguments.seed or 0)
    print(samples(model, vocabulary, arguments))
    return 0


def command_line(words):
    """The arguments as attributes, `command` among them: what to call. Without a command it is train_command."""
    parser = Parser(prog="char_lm.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(metavar="command")
    if not words or words[0] not in ("train", "resume", "sample", "-h", "--help"):
        words = ["train", *words]
    quick = "--quick" in words
    for call in (train_command, resume_command, sample_command):
        command = commands.add_parser(
            call.__name__.removesuffix("_command"), help=call.__doc__, description=call.__doc__, parents=[THREADS], allow_abbrev=False
        )
        command.set_defaults(command=call)
        add = command.add_argument
        add("--out", default="runs/char_lm", metavar="DIR", help="folder of the run (runs/char_lm)")
        for name, (default, fast, kind, meaning) in OPTIONS.items():
            if call is not sample_command or name == "seed":
                meaning += f" ({default}" + (")" if fast == default else f"; {fast} with --quick)")
                fallback = (fast if quick else default) if call is train_command else None
                choices = CELLS if name == "cell" else None
                add(f"--{name}", type=kind, default=fallback, choices=choices, metavar=None if choices else "N", help=meaning)
        if call is not sample_command:
            passes = (10 if quick else 6) if call is train_command else None
            add("--passes", type=number(int), default=passes, metavar="N", help="passes over the text in all (6; 10 with --quick)")
            add("--steps", type=number(int), metavar="N", help="steps in all, in place of passes")
            add("--stop-at", type=number(int), metavar="N", help="stop after step N as Ctrl-C would")
        if call is train_command:
            add("--quick", action="store_true", help="a small model on a small piece of the text")
            source = command.add_mutually_exclusive_group()
            source.add_argument("--corpus", choices=CORPORA, default="python", help="Python's reference, or 38 plays (a download of 2 MB)")
            source.add_argument("--text", metavar="FILE", help="a text of your own, in UTF-8")
        add("--prompt", default="", metavar="TEXT", help="what samples begin with (The)")
        add("--length", type=number(int), default=400, metavar="N", help="characters of a sample (400)")
        add("--temperature", type=number(float), nargs="+", default=[0.5, 1.0], metavar="T", help="a sample for each (0.5 1)")
        add("--top-k", type=number(int), metavar="K", help="draw from the K likeliest characters only")
    return parser.parse_args(words)


def main():
    """Run the command; whatever is wrong with it is one sentence and 2."""
    arguments = command_line(sys.argv[1:])
    sys.stdout.reconfigure(errors="replace")  # a text may have symbols that the terminal has not
    try:
        return arguments.command(arguments)
    except KeyboardInterrupt:
        return 130
    except (Refusal, data.TextError) as error:
        reason = str(error)
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except MemoryError:
        reason = "there is not enough memory for a model of this size"
    print(f"char_lm.py: {reason}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
