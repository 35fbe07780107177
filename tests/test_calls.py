"""What a call of a scan does with its arrays in C (kernels/calls.pxi): what its plan depends on, and where a carry comes from and goes."""

import numpy as np
import pytest

import minigrad as mg

pytestmark = pytest.mark.skipif(mg.config.kernels() is None, reason="the compiled loop needs the compiled kernels")
program = pytest.importorskip("minigrad._program")


def test_the_form_of_arrays_tells_types_and_shapes_apart():
    form = program.form
    shapes = [(2, 3), (3, 2), (6,), (1, 6), (2, 1, 3), ()]
    forms = [form([np.zeros(shape, dtype)], 0) for shape in shapes for dtype in ("f4", "f8", "i4", "i8", "?")]
    assert len(set(forms)) == len(forms) and None not in forms
    assert form([np.zeros((5, 3), "f4")], 1) == form([np.zeros((9, 3), "f4")], 1) != form([np.zeros((5, 4), "f4")], 1)
    assert form([np.zeros(2), np.zeros(3)], 0) != form([np.zeros(3), np.zeros(2)], 0)
    assert form([np.zeros(2), [1.0]], 0) is None and form([np.ma.zeros(2)], 0) is None


@pytest.mark.parametrize(
    "start", [np.ones((2, 3), "f4"), np.ones((3, 2), "f4").T, np.ones((2, 3), "f8"), np.ones(6, "f4"), [[1] * 3] * 2, 0]
)
def test_a_carry_is_laid_where_it_belongs_and_nowhere_else(start):
    lay, lift = program.lay, program.lift
    memory = np.full((3, 2, 3), 7, "f4")
    lay(memory, 1, start)
    assert (memory[[0, 2]] == 7).all() and (memory[1] == np.mean(start)).all()
    found = lift(memory, 1, (6, 1))
    memory[1] = 5
    assert found.shape == (6, 1) and found.dtype == np.float32 and (found == np.mean(start)).all()
    for call in (lambda: lay(memory, 3, 0), lambda: lay(memory, -1, 0), lambda: lift(memory, 3, (2, 3)), lambda: lift(memory, 0, (2, 2))):
        with pytest.raises(IndexError, match="place"):
            call()


@pytest.mark.parametrize("shape", [(2, 0, 3), (2, 3, 0), (2, 0, 0)])
def test_nothing_is_laid_where_there_is_no_room(shape):
    """The strides of an array without elements say that it has some."""
    memory = np.zeros(shape, "f4")
    program.lay(memory, 1, 0)
    program.lay(memory, 1, np.zeros(shape[1:], "f4"))
    assert program.lift(memory, 1, shape[1:]).shape == shape[1:]


@pytest.mark.parametrize("batch", [0, 1])
def test_a_batch_of_no_sequences(batch):
    layer = mg.nn.LSTM(3, 4)
    y, (h, c) = layer(mg.zeros(5, batch, 3))
    (y.sum() + h.sum() + c.sum()).backward()
    assert y.shape == (5, batch, 4) and h.shape == c.shape == (1, batch, 4)
    assert (layer.bias_ih_l0.grad.numpy() == 0).all() == (batch == 0)


def test_a_carry_of_many_axes():
    h, _ = mg.scan(lambda h, x: (h * 0.5 + x, None), mg.ones(*(1,) * 40, 2), mg.ones(3, *(1,) * 40, 2))
    assert h.shape == (*(1,) * 40, 2) and h.numpy().ravel().tolist() == [1.875, 1.875]
