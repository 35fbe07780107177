"""The page of backpropagation by hand: it and the tape agree, term by term, and a wrong formula would be seen."""

from __future__ import annotations

import re

import numpy as np
import pytest
import scripts

SEEDS = [None, *range(20)]


@pytest.fixture(scope="module")
def example():
    """The script as a module."""
    return scripts.load("bptt.py")


@pytest.mark.parametrize("seed", SEEDS)
def test_every_term_by_hand_is_an_entry_of_the_tape(example, seed):
    numbers = example.numbers(seed)
    terms, tape = example.by_hand(numbers)["terms"], example.by_tape(numbers)
    assert {name: len(rows) for name, rows in terms.items()} == {"W_hy": 1, "W_hh": 3, "W_xh": 3}
    for name, (entries, grad) in tape.items():
        assert grad.dtype == np.float64
        assert all(np.abs(term).min() > 0.0 for term in terms[name])
        np.testing.assert_allclose(terms[name], entries, rtol=0, atol=1e-12)
        np.testing.assert_allclose(sum(terms[name]), grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_formulas_are_the_derivative_of_the_loss(example, seed):
    """By central differences of the hand's own forward pass, which knows nothing of gradients."""
    numbers = example.numbers(seed)
    for name, terms in example.by_hand(numbers)["terms"].items():
        direction = np.random.default_rng(7).normal(size=numbers[name].shape)
        up, down = (example.by_hand(numbers | {name: numbers[name] + side * 1e-5 * direction})["e"] ** 2 / 2 for side in (1, -1))
        assert (up - down) / 2e-5 == pytest.approx((sum(terms) * direction).sum(), rel=1e-6, abs=1e-8)


def test_a_forgotten_jacobian_would_be_seen(example):
    numbers = example.numbers()
    hand = example.by_hand(numbers)
    wrong = np.outer((1 - hand["h"][1] ** 2) * (hand["J"][3].T @ hand["dh"][3]), numbers["h_0"])
    assert np.abs(wrong - example.by_tape(numbers)["W_hh"][0][0]).max() > 1e-2


def test_the_page_shows_all_of_it(tmp_path):
    done = scripts.run("bptt.py", "--quick", "--out", tmp_path / "page")
    assert (tmp_path / "page" / "bptt.txt").read_text(encoding="utf-8") == done.stdout
    differences = [float(found) for found in re.findall(r"difference (\S+)", done.stdout)]
    assert len(differences) == 1 + 3 + 3 + 3 and max(differences) <= 1e-12  # the terms, and a sum for each weight
    assert max(map(len, done.stdout.splitlines())) <= 132
    other = scripts.run("bptt.py", "--seed", 1).stdout
    assert other != done.stdout and other.count("by hand") == done.stdout.count("by hand") == 10


def test_the_readme_shows_a_part_of_the_page(example):
    """To the digits of the differences, which are rounding."""
    readme = (scripts.ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"```\n(dL/dW_hh = .*?)```", readme, re.DOTALL)
    assert shown is not None
    without = [re.sub(r"difference \S+", "", text) for text in (shown.group(1).strip(), example.page(example.numbers()))]
    assert without[0] in without[1]


def test_a_folder_that_cannot_be_made_is_said_in_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    assert scripts.run("bptt.py", "--out", tmp_path / "file", code=2).stderr.startswith("bptt.py: ")
