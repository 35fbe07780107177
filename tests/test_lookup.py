"""The pass lookup: rows of x that came from a table are multiplied once a kind, and nobody can tell but by the time it takes."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.scan import PASSES, lookup, settings
from minigrad.scan.lookup import Lookup
from minigrad.walk import walk

pytestmark = pytest.mark.skipif(mg.config.kernels() is None, reason="without the compiled kernels every scan runs as its loop")
T, B, N, H, KINDS = 9, 5, 4, 6, 7
EVERY = frozenset(PASSES)


@pytest.fixture(autouse=True)
def small_ones_too(monkeypatch):
    monkeypatch.setattr(lookup, "LEAST", 0.0)
    monkeypatch.setattr(settings, "mode", "compile")


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def places(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, KINDS, shape)


def ways():
    """As loops; compiled without the pass; compiled with all."""
    for settings.mode, settings.passes in (("eager", EVERY), ("compile", EVERY - {"lookup"}), ("compile", EVERY)):
        yield


def close(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max(initial=0) <= 1e-12 * max(np.abs(b).max(initial=0), 1e-300)


def agree(run, looked=1):
    """`run` gives arrays. The three ways give the same, and `looked` products went the way of the table in the last."""
    loops, plain, found = [run() for _ in ways()]
    close(plain, loops)
    close(found, loops)
    assert mg.scan_report().passes["lookup"] == looked
    assert found[0].tobytes() == plain[0].tobytes()  # the output: each row is the same chain of multiply-adds
    return found


def layer_and_table(kind="LSTM", **form):
    mg.manual_seed(3)
    return getattr(nn, kind)(N, H, dtype=np.float64, **form), nn.Embedding(KINDS, N, dtype=np.float64)


def gradients(*modules):
    return [p.grad.numpy() for module in modules for _, p in module.named_parameters() if p.grad is not None]


@pytest.mark.parametrize(("kind", "bidirectional", "batch_first", "layers"), [
    *product(["RNN", "LSTM", "GRU", "FourGateLSTM"], [False, True], [False, True], [1]), ("LSTM", True, False, 2)
])  # fmt: skip
def test_layers_over_an_embedding_are_what_they_are_without_the_pass(kind, bidirectional, batch_first, layers):
    def run():
        layer, table = layer_and_table(kind, bidirectional=bidirectional, batch_first=batch_first, num_layers=layers)
        output, _ = layer(table(places(T, B)))
        output.backward(draw(*output.shape, seed=1))
        return [output.numpy(), *gradients(layer, table)]

    agree(run, 1 if layers == 1 else 0)  # the report is that of the last layer, whose x is no table's


def test_a_first_state_and_every_result_have_their_gradients():
    def run():
        layer, table = layer_and_table()
        h, c = (mg.tensor(draw(1, B, H, seed=seed), requires_grad=True) for seed in (4, 5))
        output, (h_n, c_n) = layer(table(places(T, B)), (h, c))
        loss = (output * draw(T, B, H, seed=1)).sum() + (h_n * draw(1, B, H, seed=2)).sum() + (c_n * draw(1, B, H, seed=3)).sum()
        loss.backward()
        return [output.numpy(), h.grad.numpy(), c.grad.numpy(), *gradients(layer, table)]

    agree(run)


def test_padded_sequences_go_the_same_way():
    def run():
        layer, table = layer_and_table()
        output, _ = layer(table(places(T, B)), lengths=[9, 4, 0, 7, 5])
        output.backward(draw(T, B, H, seed=1))
        return [output.numpy(), *gradients(layer, table)]

    agree(run)


@pytest.mark.parametrize("form", ["linear", "matmul", "vector", "joined"])
def test_a_step_that_anybody_writes_goes_the_same_way(form):
    def run():
        w, u, b, table = (
            mg.tensor(draw(*shape, seed=seed), requires_grad=True) for seed, shape in enumerate([(H, N), (H, H), (H,), (KINDS, N)])
        )
        x, h = (
            (mg.take(table, places(T) % 3), mg.zeros(H, dtype="float64"))
            if form == "vector"
            else (mg.take(table, places(T, B)), mg.zeros(B, H, dtype="float64"))
        )

        def step(h, x):
            if form == "joined":
                h = mg.tanh(mg.linear(mg.concatenate([h, x], axis=-1), mg.concatenate([u, w], axis=-1), b))
            else:
                h = mg.tanh(
                    (mg.linear(x, w, b) if form == "linear" else w @ x + b if form == "vector" else x @ w.T + b)
                    + (u @ h if form == "vector" else mg.linear(h, u))
                )
            return h, h

        last, ys = mg.scan(step, h, x)
        ((ys * draw(*ys.shape, seed=8)).sum() + last.sum()).backward()
        return [ys.numpy(), *[t.grad.numpy() for t in (w, u, b, table)]]

    agree(run)


@pytest.mark.parametrize("where", ["hook before", "hook after", "retained", "asked for", "table asked for"])
def test_whoever_looks_at_the_gradient_of_x_sees_that_of_each_row(where):
    def run():
        layer, table = layer_and_table()
        x, seen = table(places(T, B)), []
        if where == "hook before":
            x.register_hook(lambda g: seen.append(g.numpy().copy()))
        if where == "retained":
            x.retain_grad()
        output, _ = layer(x)
        if where == "hook after":
            x.register_hook(lambda g: seen.append(g.numpy().copy()))
        loss = (output * draw(T, B, H, seed=1)).sum()
        if "asked for" in where:
            wanted = [table.weight, *([x, *layer.parameters()] if where == "asked for" else [])]
            found = walk([loss], [None], [tensor.node for tensor in wanted], False, False)
            return [output.numpy(), *[found.total(tensor.node).numpy() for tensor in wanted]]
        loss.backward()
        seen += [x.grad.numpy()] if where == "retained" else []
        assert len(seen) == 1
        return [output.numpy(), *seen, *gradients(layer, table)]

    agree(run)


@pytest.mark.parametrize("between", [
    lambda x: x.swapaxes(0, 1).swapaxes(0, 1), lambda x: x.transpose(1, 0, 2), lambda x: x.reshape(B, T, N), lambda x: x[1:, ::-1],
    lambda x: x[::-1, 1:4], lambda x: mg.take(x, [3, 3, 0, -1]), lambda x: x.reshape(T * B, N).expand_dims(1), lambda x: x[:, :, ::-1],
])  # fmt: skip
def test_rows_are_followed_through_views(between):
    def run():
        layer, table = layer_and_table()
        output, _ = layer(between(table(np.repeat(places(T, 1), B, axis=1))))
        output.backward(draw(*output.shape, seed=1))
        return [output.numpy(), *gradients(layer, table)]

    agree(run)


@pytest.mark.parametrize("between", [
    lambda x: x * 1.0, lambda x: x.transpose(2, 0, 1)[:4].transpose(1, 2, 0) + 0.0, lambda x: nn.functional.dropout(x, 0.5, True),
    lambda x: x.reshape(T, N, B).swapaxes(1, 2), lambda x: x.detach(),
])  # fmt: skip
def test_what_is_not_known_to_come_from_a_table_goes_the_long_way(between):
    def run():
        mg.manual_seed(0)
        layer, table = layer_and_table()
        output, _ = layer(between(table(places(T, B))))
        output.backward(draw(*output.shape, seed=1))
        return [output.numpy(), *gradients(layer, table)]

    agree(run, 0)


@pytest.mark.parametrize("between", [
    lambda x: x[..., None], lambda x: x.expand_dims(2), lambda x: x.swapaxes(0, 1)[..., None], lambda x: x[:, :, None, None].squeeze(2),
    lambda x: mg.take(x[:1].squeeze(0), places(T, N) % N).expand_dims(2), lambda x: mg.take(x, [0, 1, 1], axis=1).expand_dims(2),
])  # fmt: skip
def test_columns_are_not_taken_for_rows(between):
    def run():
        _, table = layer_and_table()
        layer = nn.LSTM(1, H, dtype=np.float64)
        output, _ = layer(between(table(places(T))))
        output.backward(draw(*output.shape, seed=1))
        return [output.numpy(), *gradients(layer, table)]

    agree(run, 0)


@pytest.mark.parametrize(
    "form", ["negative", "int8", "many rows", "int32", "padding", "sparse", "frozen table", "frozen layer", "few equal"]
)
def test_tables_and_indices_of_every_kind(form):
    def run():
        layer, table = layer_and_table()
        index = places(T, B)
        if form == "padding":
            table = nn.Embedding(KINDS, N, padding_idx=2, dtype=np.float64)
        if form == "sparse":
            table = nn.Embedding(KINDS, N, sparse=True, dtype=np.float64)
        if form == "few equal":
            table = nn.Embedding(T * B, N, dtype=np.float64)
            index = np.random.default_rng(0).permutation(T * B).reshape(T, B)
        if form in ("int8", "many rows"):
            rows = 300 if form == "int8" else 100 * T * B
            table = nn.Embedding(rows, N, dtype=np.float64)
            index = (index - 9).astype(np.int8) if form == "int8" else index * (rows // KINDS)
        table.weight.requires_grad_(form != "frozen table")
        layer.requires_grad_(form != "frozen layer")
        index = index.astype(np.int32) if form == "int32" else index - KINDS if form == "negative" else index
        output, _ = layer(mg.take(table.weight, index) if form in ("negative", "int8") else table(index))
        output.backward(draw(T, B, H, seed=1))
        return [output.numpy(), *gradients(layer, table)]

    agree(run, int(form in ("negative", "int8", "many rows", "int32", "sparse")))


def test_gradients_of_gradients():
    def run():
        layer, table = layer_and_table("GRU")
        every = [table.weight, *layer.parameters()]
        output, _ = layer(table(places(T, B)))
        (output * draw(T, B, H, seed=1)).sum().backward(create_graph=True)
        first = [p.grad for p in every]
        for p in every:
            p.grad = None
        sum([(g * draw(*g.shape, seed=k)).sum() for k, g in enumerate(first)]).backward()
        return [output.numpy(), *[g.numpy() for g in first], *gradients(layer, table)]

    agree(run)


def test_played_back_twice_it_knows_no_sums_of_the_first_time():
    def run():
        layer, table = layer_and_table()
        output, _ = layer(table(places(T, B)))
        output.backward(draw(T, B, H, seed=1), retain_graph=True)
        first = [g.copy() for g in gradients(layer, table)]
        for p in [*layer.parameters(), *table.parameters()]:
            p.grad = None
        output.backward(draw(T, B, H, seed=2))
        return [output.numpy(), *first, *gradients(layer, table)]

    agree(run)


def test_rows_that_are_read_elsewhere_too_add_up():
    def run():
        layer, table = layer_and_table()
        x = table(places(T, B))
        output, _ = layer(x)
        ((output * draw(T, B, H, seed=1)).sum() + (x * x * draw(T, B, N, seed=2)).sum()).backward()
        return [output.numpy(), *gradients(layer, table)]

    agree(run)


@pytest.mark.parametrize("memory", [1, 2, 4, "sqrt"])
def test_a_step_that_looks_up_has_its_gradients_in_segments_too(memory):
    def run():
        w, u, table = (mg.tensor(draw(*shape, seed=seed), requires_grad=True) for seed, shape in enumerate([(H, N), (H, H), (KINDS, N)]))

        def step(h, symbols):
            h = mg.tanh(mg.linear(mg.take(table, symbols), w) + mg.linear(h, u))
            return h, h

        _, ys = mg.scan(step, mg.zeros(B, H, dtype="float64"), mg.tensor(places(T, B)), memory=memory)
        ys.backward(draw(T, B, H, seed=1))
        return [ys.numpy(), *[t.grad.numpy() for t in (w, u, table)]]

    agree(run, int(memory == 1))


@pytest.mark.parametrize("form", ["assigned", "written to"])
def test_indices_that_have_changed_since_say_nothing_about_rows(form):
    def run():
        layer, table = layer_and_table()
        memory = places(T, B)
        index = mg.tensor(memory) if form == "assigned" else mg.from_numpy(memory)
        x = mg.take(table.weight, index)
        if form == "assigned":
            index.assign_(places(T, B, seed=1))
        else:
            memory[:] = places(T, B, seed=1)
        with mg.no_grad():
            before = layer(x)[0].numpy()
        return [layer(x)[0].numpy(), before]

    found = agree(run, 0)
    assert found[0].tobytes() == found[1].tobytes()


def test_an_operation_of_the_same_name_is_not_taken_for_ours():
    @mg.op(x=lambda g: g)
    def squeeze(x):
        return np.ascontiguousarray(x[::-1]) * 2

    @mg.op(x=lambda g, indices: g, indices=None)
    def take(x, indices):
        return x * 2

    for between in (squeeze, lambda x: take(x, [1, 2])):
        layer, table = layer_and_table()
        settings.passes, seen = EVERY, []
        for settings.mode in ("eager", "compile"):
            seen.append(layer(between(table(places(T, B))))[0].numpy())
        close(*[[y] for y in seen])
        assert mg.scan_report().passes["lookup"] == 0


def test_sums_are_those_of_the_walk_that_asked_for_them(monkeypatch):
    """Another thread may play the same tape at the same time."""

    def summed(self, g, before=Lookup.summed):
        sums = before(self, g)
        self.sums = None  # as if the other had come to its end here
        return sums

    monkeypatch.setattr(Lookup, "summed", summed)
    test_layers_over_an_embedding_are_what_they_are_without_the_pass("LSTM", False, False, 1)


def test_a_weight_that_changes_while_gradients_flow_is_refused():
    layer, table = layer_and_table()
    output, _ = layer(table(places(T, B)))
    (scan,) = output.node.parents
    (found,) = [node for node in scan.parents if isinstance(node.recipe, Lookup)]
    assert set(found.recipe.labels()) == {"weight", "rows", "where", "which"}
    layer.weight_ih_l0.assign_(layer.weight_ih_l0.numpy() * 2)
    with pytest.raises(mg.MutationError, match="'linear' kept a weight for the backward pass"):
        found.recipe.play(found, mg.tensor(draw(T, B, 4 * H)), None)


def test_a_weight_that_has_changed_since_is_refused():
    layer, table = layer_and_table()
    output, _ = layer(table(places(T, B)))
    layer.weight_ih_l0.assign_(layer.weight_ih_l0.numpy() * 2)
    with pytest.raises(mg.MutationError, match="kept its carry, xs and the tensors that its step closes over"):
        output.sum().backward()


def test_a_table_that_has_changed_since_changes_nothing():
    def run():
        layer, table = layer_and_table()
        output, _ = layer(table(places(T, B)))
        table.weight.assign_(table.weight.numpy() * 2)
        output.backward(draw(T, B, H, seed=1))
        return [output.numpy(), *gradients(layer, table)]

    agree(run)


def test_small_products_and_no_gradients_go_the_long_way(monkeypatch):
    layer, table = layer_and_table()
    monkeypatch.setattr(lookup, "LEAST", 2.0 * T * B * N * 4 * H + 1)
    layer(table(places(T, B)))
    assert mg.scan_report().passes["lookup"] == 0
    monkeypatch.setattr(lookup, "LEAST", 2.0 * T * B * N * 4 * H)
    layer(table(places(T, B)))
    assert mg.scan_report().passes["lookup"] == 1
    with mg.no_grad():
        layer(table(places(T, B)))
    assert mg.scan_report().passes["lookup"] == 0


def test_any_number_of_threads_gives_the_same_bits(monkeypatch):
    monkeypatch.setattr("minigrad.threads.WORTH", 1e-9)
    before, found = mg.get_num_threads(), []
    try:
        for count in (1, 2, 3, 4):
            mg.set_num_threads(count)
            mg.manual_seed(0)
            layer, table = nn.LSTM(32, 64), nn.Embedding(11, 32)
            output, _ = layer(table(np.random.default_rng(0).integers(0, 11, (40, 32))))
            output.backward(np.random.default_rng(1).standard_normal(output.shape).astype("f"))
            assert mg.scan_report().passes["lookup"] == 1
            found.append([output.numpy().tobytes(), *[g.tobytes() for g in gradients(layer, table)]])
    finally:
        mg.set_num_threads(before)
    assert found.count(found[0]) == 4


# ---- the comparison can fail


@pytest.mark.parametrize("fault", ["a row of another kind", "the gradient of one row for all", "sums of another gradient"])
def test_a_wrong_lookup_is_noticed(fault, monkeypatch):
    if fault == "a row of another kind":
        monkeypatch.setattr(
            lookup, "distinct", lambda numbers: (np.array([0, 1]), (numbers == numbers.reshape(-1)[0]).astype(np.intp).reshape(-1))
        )
    if fault == "the gradient of one row for all":
        monkeypatch.setattr(Lookup, "summed", lambda self, g: g.reshape(-1, g.shape[-1])[self.where].copy())
    if fault == "sums of another gradient":
        monkeypatch.setattr(lookup, "same_memory", lambda a, b: True)
        monkeypatch.setattr(
            Lookup, "constant", lambda self, g, before=Lookup.constant: (before(self, g), setattr(self, "sums", (g, 0 * self.sums[1])))[0]
        )
    with pytest.raises(AssertionError):
        test_layers_over_an_embedding_are_what_they_are_without_the_pass("LSTM", False, False, 1)


# ---- the kernels


@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize("columns", [1, 7, 16, 33, 200])
def test_rows_are_taken_and_added_as_numpy_does(dtype, columns, monkeypatch):
    from minigrad._matmul import add_rows, take

    monkeypatch.setattr("minigrad.threads.WORTH", 1e-9)
    many = 30 if columns < 200 else 300  # 180,000 elements: fewer have one thread (kernels/threads.pxi)
    table, where = draw(13, columns).astype(dtype), places(many, 3)
    before = mg.get_num_threads()
    try:
        for count in (1, 3):
            mg.set_num_threads(count)
            found = take(table, where)
            assert found.tobytes() == table[where].tobytes()
            assert found.shape == (many, 3, columns)
            assert take(table, where.T).tobytes() == table[where.T].tobytes()
            for rows in (
                draw(many, 3, columns).astype(dtype),
                draw(many, 3, 2 * columns).astype(dtype)[..., :columns],
                draw(columns, 3 * many).astype(dtype).T,
            ):
                into, wanted = table.copy(), table.copy()
                add_rows(into, rows, where)
                for place, row in zip(where.reshape(-1), rows.reshape(-1, columns), strict=True):
                    wanted[place] += row
                assert into.tobytes() == wanted.tobytes()
    finally:
        mg.set_num_threads(before)


def test_what_the_kernels_do_not_serve_is_left_to_numpy():
    from minigrad._matmul import add_rows, distinct, take

    table, rows = draw(4, 3), draw(2, 3)
    frozen = table.copy()
    frozen.setflags(write=False)
    for where in (np.array([0, 4]), np.array([0, -1]), np.array([0, 1], np.int32), np.array([0.0, 1.0]), [0, 1], np.array([True, False])):
        assert take(table, where) is NotImplemented
        assert add_rows(table.copy(), rows, where) is NotImplemented
    for wrong in (table.astype(np.float16), table.astype(int), table.T, table[0], table[None], [1.0], table.astype(">f8")):
        assert take(wrong, np.array([0, 1])) is NotImplemented
        assert add_rows(wrong, rows, np.array([0, 1])) is NotImplemented
    assert take(table, np.array([0, 1]), axis=1) is NotImplemented
    assert add_rows(frozen, rows, np.array([0, 1])) is NotImplemented
    assert add_rows(table, draw(2, 4), np.array([0, 1])) is NotImplemented
    assert add_rows(table, draw(3, 3), np.array([0, 1])) is NotImplemented
    assert add_rows(table, rows.astype("f"), np.array([0, 1])) is NotImplemented
    assert take(table, np.zeros((0, 2), np.intp)).shape == (0, 2, 3)
    assert [part.tolist() for part in distinct(np.array([[5, 3], [5, 0]]))] == [[0, 1, 3], [0, 1, 0, 2]]
    assert [part.tolist() for part in distinct(np.zeros((0,), int))] == [[], []]
    with pytest.raises(ValueError, match="whole numbers from 0 on"):
        distinct(np.array([1, -1]))


# ---- which rows are equal


def random_view(x, rng):
    """x through a random operation that moves elements, or None if that does not go."""
    shape = x.shape
    axis = int(rng.integers(len(shape)))
    kind = rng.choice(["reshape", "expand_dims", "squeeze", "transpose", "swapaxes", "take", "getitem"])
    if kind == "reshape":
        flat = [1, x.size] if rng.random() < 0.3 else [int(np.prod(shape[:axis])), *shape[axis:]]
        return x.reshape(*(flat if rng.random() < 0.7 else flat[::-1]))
    if kind == "expand_dims":
        return x.expand_dims(axis) if len(shape) < 5 else None
    if kind == "squeeze":
        return x.squeeze() if x.size > 1 else None
    if kind == "transpose":
        return x.transpose(*rng.permutation(len(shape)).tolist())
    if kind == "swapaxes":
        return x.swapaxes(axis, -1 - int(rng.integers(min(2, len(shape)))))
    if kind == "take":
        return (
            mg.take(x, rng.integers(-shape[axis], shape[axis], rng.integers(1, 3, rng.integers(1, 3))), axis=axis)
            if len(shape) < 4
            else None
        )
    parts = [
        slice(None),
        slice(None, None, -1),
        slice(1, None),
        slice(None, 2),
        0,
        -1,
        None,
        Ellipsis,
        rng.integers(0, 2, 3),
        np.array([True, False]),
    ]
    index = tuple([parts[k] for k in rng.integers(0, len(parts), rng.integers(1, len(shape) + 2))])
    try:
        return x[index]
    except (mg.ShapeError, IndexError):
        return None


def test_rows_that_get_one_number_are_equal_whatever_happened_to_them():
    rng, known, steps = np.random.default_rng(0), 0, 0
    for _ in range(4000):
        width = int(rng.choice([1, 2, 3, 24]))
        table = mg.tensor(rng.permutation(np.arange(float(width * KINDS))).reshape(KINDS, width), requires_grad=True)
        index = places(3, int(rng.integers(1, 3)), seed=int(rng.integers(1000)))
        x = mg.take(table, mg.broadcast_to(mg.tensor(index), (3, 2)) if rng.random() < 0.5 else index)
        for _ in range(int(rng.integers(1, 5))):
            found = random_view(x, rng)
            x = x if found is None or not found.size or not found.ndim else found
        path = []
        numbers = lookup.places_of(x.node, path)
        steps += len(path)
        if numbers is None:
            continue
        known += 1
        assert numbers.shape == x.shape[:-1]
        assert x.node in path or x.node is path[-1]
        rows = x.numpy().reshape(numbers.size, -1)
        for number in np.unique(numbers):
            assert len(np.unique(rows[numbers.reshape(-1) == number], axis=0)) == 1
    assert known > 1000
    assert steps > 2 * known
