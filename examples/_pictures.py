"""The pictures that the example scripts leave. They need matplotlib; without it a line says so."""

from __future__ import annotations

import numpy as np
from _measure import geometric

COLOURS = {"tanh RNN": "#D55E00", "LSTM": "#0072B2", "GRU": "#009E73"}  # told apart by colour-blind eyes too (Okabe and Ito, 2008)
GREY = "0.35"


def pyplot(of):
    """matplotlib.pyplot, drawing into files alone; without matplotlib None, and a line that says so."""
    try:
        import matplotlib
    except ImportError:
        print(f"\nno picture of {of}: that needs matplotlib (pip install matplotlib)")
        return None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def loss_curve(run, lines, path):
    """The loss curve as a picture, with the baselines for scale."""
    plt = pyplot("the loss")
    if plt is None:
        return
    windows, bits, tests = run.stream.windows, np.array(run.curve), run.tests
    reach = max(1, min(windows // 8, 20))
    reaches = [min(reach, i) for i in range(len(bits))]  # shorter at the beginning, where the curve is steep
    smooth = [bits[i - r : i + r + 1].mean() for i, r in enumerate(reaches)]
    passes = (np.arange(len(bits)) + 1) / windows
    figure, axes = plt.subplots(figsize=(9, 5.5), layout="constrained")
    height = 0.0
    for name, level in sorted(lines.items(), key=lambda line: line[1]):
        height = max(level, height + 0.2)  # names of lines close to each other stand one above the other
        axes.axhline(level, color="0.7", lw=1, ls="--", zorder=0)
        axes.text(1.01, height, f"{name} {level:.2f}", transform=axes.get_yaxis_transform(), va="center", color="0.35")
    axes.plot(passes, bits, color="tab:blue", alpha=0.25, lw=0.6)
    axes.plot(passes, smooth, color="tab:blue", lw=2, label=f"training, mean of {2 * reach + 1} windows")
    axes.plot(np.array(list(tests)) / windows, list(tests.values()), "o-", color="tab:orange", label="held-out text, after each pass")
    last = (passes[-1], tests[run.step])
    axes.annotate(f"{last[1]:.2f}", last, (0, 8), textcoords="offset points", ha="center", color="tab:orange")
    axes.set(
        xlabel="passes over the text",
        ylabel="bits a character",
        xlim=(0, passes[-1] * 1.03),
        ylim=(min([*smooth, *lines.values()]) * 0.8, max(lines.values()) * 1.03),
    )
    title = f"{run.settings['cell'].upper()} of {run.settings['hidden']} units, {len(run.learned):,} characters to learn from"
    axes.set_title(title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def memory_poster(asked, longest, chance, right, reaches, gradients, path):
    """What examples/memory.py found, on one page. False without matplotlib.

    asked: the gaps; longest: of those in training; right: for each kind of net the share of right answers at each gap; reaches: for each
    kind a gap; gradients: for "before" and "after", for each kind the norm at each step.
    """
    plt = pyplot("what came out")
    if plt is None:
        return False
    style = {"font.size": 13, "axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left", "axes.titlesize": 14}
    with plt.rc_context(style):
        figure = plt.figure(figsize=(14, 7.4))
        figure.text(0.03, 0.93, memory_title(reaches), fontsize=23, weight="bold")
        figure.text(
            0.03,
            0.885,
            "“Korea  bread river ... snow  speaks”: Korean. The words between are random, only the first one tells.",
            color=GREY,
        )
        grid = figure.add_gridspec(2, 2, width_ratios=(1.45, 1), left=0.055, right=0.985, top=0.8, bottom=0.1, wspace=0.17, hspace=0.5)
        accuracy_panel(figure.add_subplot(grid[:, 0]), asked, longest, chance, right)
        lowest = min(norms[norms > 0].min() for kinds in gradients.values() for norms in kinds.values())  # float32 ends at 1e-45
        for row, (when, norms) in enumerate(gradients.items()):
            gradient_panel(figure.add_subplot(grid[row, 1]), when, norms, lowest)
        figure.savefig(path, dpi=110)
        plt.close(figure)
    return True


def memory_title(reaches):
    """The claim, in the numbers of this run."""
    rnn, lstm, gru = reaches.values()
    gated = f"LSTM and GRU look back {lstm}" if lstm == gru else f"the LSTM looks back {lstm}, the GRU {gru}"
    return f"A tanh RNN learns to look back {rnn} words, {gated}"


def accuracy_panel(axes, asked, longest, chance, right):
    """Right answers against the gap."""
    end = 1.4 * asked[-1]
    axes.set_title("right answers on new sentences, in percent")
    axes.axvspan(longest, end, color="0.94", lw=0)
    axes.text(1.07 * longest, 50, "longer than\nany gap in training", color=GREY)
    axes.axhline(100 * chance, color=GREY, lw=1.5, ls="--")
    axes.text(0.9, 100 * chance + 1.5, f"guessing: {100 * chance:g}", color=GREY)
    for kind, width in zip(right, (4, 11, 4), strict=True):  # the LSTM's line shows on both sides of the GRU's
        axes.plot(asked, 100 * np.array(right[kind]), "o-", color=COLOURS[kind], lw=width, ms=width + 5, mec="white")
    rnn = np.array(right["tanh RNN"])
    fallen = next((i for i, share in enumerate(rnn) if share < 0.5), 0)
    place = {"xy": (asked[fallen], 100 * rnn[fallen]), "xytext": (10, 8), "textcoords": "offset points"}
    axes.annotate("tanh RNN", **place, color=COLOURS["tanh RNN"], size=19, weight="bold")
    for kind, place in (("LSTM", 0.0), ("GRU", 80.0)):
        axes.annotate(kind, (asked[0], 104.5), (place, 0), textcoords="offset points", color=COLOURS[kind], size=19, weight="bold")
    axes.set(xscale="log", xlim=(0.85, end), ylim=(0, 112), yticks=range(0, 101, 20))
    axes.set_xlabel("words between the country and “speaks”")
    axes.set_xticks(asked, asked)
    axes.minorticks_off()


def gradient_panel(axes, when, norms, lowest):
    """What is left of the gradient at each step on its way back."""
    steps = len(next(iter(norms.values())))
    axes.set_title(f"what is left of the gradient, {when} training")
    for kind, offset in zip(norms, (-16, -14, 13), strict=True):
        there = np.flatnonzero(norms[kind])
        axes.semilogy(there + 1, norms[kind][there], color=COLOURS[kind], lw=4)
        middle = (max(there[0], steps // 2) + 1, norms[kind][max(there[0], steps // 2)])
        axes.annotate(kind, middle, (0, offset), textcoords="offset points", color=COLOURS[kind], weight="bold", va="center", size=14)
    exponents = np.arange(0, np.log10(lowest) - 5, -10 if lowest < 1e-15 else -5)
    axes.set_yticks(10.0**exponents)
    axes.set(ylim=(lowest / 10, lowest**-0.2), xlim=(1 - steps / 40, steps * 1.025))
    axes.set_xticks([1, steps], ["step 1:\nthe country", f"step {steps}:\n“speaks”"])
    for label, side in zip(axes.get_xticklabels(), ("left", "right"), strict=True):
        label.set_horizontalalignment(side)
    axes.minorticks_off()
    axes.annotate("", (0.3, -0.12), (0.7, -0.12), xycoords="axes fraction", arrowprops={"arrowstyle": "->", "color": GREY, "lw": 1.5})
    axes.text(0.5, -0.17, "the way back", transform=axes.transAxes, ha="center", va="top", color=GREY)


# ---- examples/vanishing.py

LINES = {  # the three LSTMs in one colour: the wider, the more open
    "tanh RNN": ("#D55E00", 4), "GRU": ("#009E73", 4), "LSTM, bias 0": ("#56B4E9", 2.5), "LSTM, bias 1": ("#0072B2", 4),
    "LSTM, bias 5": ("#00395A", 5.5),
}  # fmt: skip


def vanishing_poster(before, after, path):
    """What examples/vanishing.py found, on one page. False without matplotlib. before, after: for each net `way`, `loss` and `error` of
    each seed.
    """
    plt = pyplot("what came out")
    if plt is None:
        return False
    style = {"font.size": 13, "axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left", "axes.titlesize": 14}
    with plt.rc_context(style):
        figure = plt.figure(figsize=(14, 7.8))
        seeds, steps = len(before["tanh RNN"]), len(before["tanh RNN"][0]["loss"])
        figure.text(0.03, 0.93, f"What is left of a gradient {steps - 1} steps back", fontsize=23, weight="bold")
        figure.text(
            0.03,
            0.885,
            "Gates carry a gradient while they are open: set so before training (bias 5), or opened by it. "
            f"64 units; mean and span of {seeds} seeds.",
            color=GREY,
        )
        grid = figure.add_gridspec(2, 2, width_ratios=(1.45, 1), left=0.065, right=0.955, top=0.8, bottom=0.1, wspace=0.2, hspace=0.45)
        lowest = min(1e-32, *(run["way"].min() for runs in before.values() for run in runs))
        way_panel(figure.add_subplot(grid[:, 0]), "before training: the loss's gradient (lines), the gates' product (dots)", before, lowest)
        way_panel(figure.add_subplot(grid[0, 1]), "after training", after, lowest, True)
        tanh_panel(figure.add_subplot(grid[1, 1]), steps - 1, geometric([run["way"][0] for run in before["tanh RNN"]]))
        figure.savefig(path, dpi=110)
        plt.close(figure)
    return True


def way_panel(axes, title, found, lowest, answers=False):
    """The gradient's norm at each step, on a logarithmic axis, mean and span of the seeds; the gates' product as dots, or the error beside
    the names.
    """
    steps = np.arange(1, len(found["tanh RNN"][0]["loss"]) + 1)
    axes.set_title(title)
    places = {}
    for kind, (colour, width) in LINES.items():
        norms = np.array([run["loss"] for run in found[kind]])
        axes.fill_between(steps, norms.min(axis=0), norms.max(axis=0), color=colour, alpha=0.18, lw=0)
        axes.semilogy(steps, geometric(norms), color=colour, lw=width if not answers else 0.75 * width, solid_capstyle="round")
        if not answers:
            axes.semilogy(steps[::3], geometric([run["way"][::3] for run in found[kind]]), ".", color=colour, ms=5)
        places[kind] = np.log10(geometric(norms)[0])
    errors = {kind: np.mean([run["error"] for run in runs]) for kind, runs in found.items()}
    if answers:
        axes.text(0.97, 0.62, f"error across {len(steps) - 1} steps (1: nothing learned)", transform=axes.transAxes, ha="right", color=GREY)
    height = -np.inf
    for kind in sorted(places, key=places.get):
        look = {"va": "center", "color": LINES[kind][0], "weight": "bold"}
        if answers:  # the four that have learned lie on each other: a list in the empty half, the least error on top
            order = sorted(errors, key=errors.get).index(kind)
            axes.text(0.97, 0.5 - 0.1 * order, f"{kind}   {errors[kind]:.2f}", transform=axes.transAxes, ha="right", **look)
        else:  # names one above the other where lines end close together
            height = max(places[kind], height - 0.05 * np.log10(lowest))
            axes.annotate(kind, (-1, 10.0**height), ha="right", annotation_clip=False, **look)
    axes.set_ylim(lowest / 10, 1e3)
    axes.set_yticks(10.0 ** np.arange(0, np.log10(lowest) - 5, -10))
    axes.yaxis.tick_right()
    axes.spines["left"].set_visible(False)
    axes.set_xlim(-steps[-1] * (0.0 if answers else 0.24), steps[-1] * 1.01)
    axes.set_xticks([1, steps[-1]], ["step 1", f"step {steps[-1]}: the loss"])
    for label, side in zip(axes.get_xticklabels(), ("left", "right"), strict=True):
        label.set_horizontalalignment(side)
    axes.minorticks_off()


def tanh_panel(axes, steps, way):
    """tanh and its derivative, and what powers of it come to."""
    a = np.linspace(-3, 3, 301)
    axes.set_title("tanh' is 1 at most, and only at 0")
    axes.plot(a, np.tanh(a), color="0.75", lw=2.5)
    axes.plot(a, 1 - np.tanh(a) ** 2, color=COLOURS["tanh RNN"], lw=4)
    axes.text(2.95, 0.86, "tanh", ha="right", va="top", color="0.6")
    axes.text(-0.75, 0.84, "tanh'", ha="right", color=COLOURS["tanh RNN"], weight="bold")
    for at, height in ((0.25, -0.2), (0.5, -0.42), (1.0, -0.64)):
        value = 1 - np.tanh(at) ** 2
        axes.plot(at, value, "o", color=COLOURS["tanh RNN"], mec="white", ms=8)
        axes.text(2.95, height, f"tanh'({at:g})$^{{{steps}}}$ = {value**steps:.0e}", color=GREY, ha="right", va="center")
    axes.set_xlabel(f"its product in the untrained RNN: {way:.0e}; the rest is W_hh", color=GREY, size=12)
    axes.axhline(0, color="0.85", lw=1, zorder=0)
    axes.set(xlim=(-3, 3), ylim=(-1.05, 1.08), yticks=(-1, 0, 1))


def reber_curves(curves, path):
    """The share of right strings against the step, for each kind of net and each seed. False without matplotlib."""
    plt = pyplot("what came out")
    if plt is None:
        return False
    figure, axes = plt.subplots(figsize=(9, 5.5), layout="constrained")
    for kind, runs in curves.items():
        for run in runs:
            steps, shares = zip(*run, strict=True)
            axes.plot(steps, 100 * np.array(shares), "o-", color=COLOURS[kind], lw=2, ms=4, alpha=0.7)
        last = 100 * np.mean([run[-1][1] for run in runs])
        place = (steps[-1], 20 if kind == "LSTM" else 10)
        axes.text(*place, f"{kind}: {last:.1f} at the end", color=COLOURS[kind], weight="bold", ha="right", size=14)
    axes.axhline(50, color=GREY, lw=1, ls="--", zorder=0)
    axes.text(steps[-1], 51, "the whole grammar, but no memory of its beginning", color=GREY, ha="right")
    axes.set(xlabel="training steps", ylim=(-2, 103), xlim=(0, steps[-1] * 1.02))
    axes.set_title("embedded Reber grammar: new strings without an illegal prediction, in percent", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return True


def goal_curves(title, runs, levels, path):
    """The loss on a test as it fell, for each kind of net and each seed; `levels`: name -> a loss to compare with. False without
    matplotlib.
    """
    plt = pyplot("what came out")
    if plt is None:
        return False
    figure, axes = plt.subplots(figsize=(9, 5.5), layout="constrained")
    end = max(run.curve[-1][0] for kind in runs for run in runs[kind])
    for name, level in levels.items():
        axes.axhline(level, color=GREY, lw=1, ls="--", zorder=0)
        axes.text(1.01, level, f"{name}\n{level:.3g}", transform=axes.get_yaxis_transform(), color=GREY, va="center")
    for kind, seeds in runs.items():
        colour = {**COLOURS, "LSTM, bias 1": "#56B4E9"}.get(kind, "#CC79A7")
        for rank, run in enumerate(seeds):
            steps, losses = zip(*run.curve, strict=True)
            axes.semilogy(steps, losses, color=colour, lw=1.8, alpha=0.75, label=None if rank else kind)
            axes.plot(steps[-1], losses[-1], "o", color=colour, mec="white", ms=7, zorder=3)
    axes.set(xlabel="training steps", xlim=(0, end * 1.02))
    axes.set_title(title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="best")
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return True
