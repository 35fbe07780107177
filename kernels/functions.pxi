# One function for each kernel of one or two arrays, part of elementwise.pyx.


def neg(x, /):
    """-x"""
    return unary(x, OP_neg)


def clone(x, /):
    """A copy."""
    if not cnp.PyArray_CheckExact(x):
        return NotImplemented
    return cnp.PyArray_NewCopy(<cnp.ndarray>x, cnp.NPY_KEEPORDER)


def exp(x, /):
    """e^x"""
    return unary(x, OP_exp)


def log(x, /):
    """Natural logarithm: -inf at 0, NaN below."""
    return unary(x, OP_log)


def sqrt(x, /):
    """Square root: NaN below 0."""
    return unary(x, OP_sqrt)


def square(x, /):
    """x * x"""
    return unary(x, OP_square)


def abs(x, /):
    """|x|"""
    return unary(x, OP_abs)


def sign(x, /):
    """-1, 0 or 1; NaN stays."""
    return unary(x, OP_sign)


def tanh(x, /):
    """Hyperbolic tangent."""
    return unary(x, OP_tanh)


def sigmoid(x, /):
    """1 / (1 + e^-x)"""
    return unary(x, OP_sigmoid)


def softplus(x, /):
    """log(1 + e^x)"""
    return unary(x, OP_softplus)


def relu(x, /):
    """x where not x <= 0, else 0: NaN stays."""
    return unary(x, OP_relu)


def expm1(x, /):
    """e^x - 1"""
    return unary(x, OP_expm1)


def log1p(x, /):
    """log(1 + x): -inf at -1, NaN below."""
    return unary(x, OP_log1p)


def log_sigmoid(x, /):
    """-log(1 + e^-x)"""
    return unary(x, OP_log_sigmoid)


def silu(x, /):
    """x / (1 + e^-x)"""
    return unary(x, OP_silu)


def gelu(x, /):
    """x erfc(-x / sqrt(2)) / 2, float32. In float64 erfc is subnormal long before the product is, and loses too much."""
    if cnp.PyArray_CheckExact(x) and cnp.PyArray_TYPE(<cnp.ndarray>x) == cnp.NPY_FLOAT32:
        return unary(x, OP_gelu)
    return NotImplemented


def erf(x, /):
    """Error function."""
    return unary(x, OP_erf)


def erfc(x, /):
    """1 - erf(x)"""
    return unary(x, OP_erfc)


def add(a, b, /):
    """a + b"""
    return binary(a, b, OP_add)


def sub(a, b, /):
    """a - b"""
    return binary(a, b, OP_sub)


def mul(a, b, /):
    """a * b"""
    return binary(a, b, OP_mul)


def div(a, b, /):
    """a / b"""
    return binary(a, b, OP_div)


def maximum(a, b, /):
    """The larger; NaN where either is."""
    return binary(a, b, OP_maximum)


def minimum(a, b, /):
    """The smaller; NaN where either is."""
    return binary(a, b, OP_minimum)


def eq(a, b, /):
    """a == b, bool"""
    return binary(a, b, OP_eq)


def ne(a, b, /):
    """a != b, bool"""
    return binary(a, b, OP_ne)


def lt(a, b, /):
    """a < b, bool"""
    return binary(a, b, OP_lt)


def le(a, b, /):
    """a <= b, bool"""
    return binary(a, b, OP_le)


def gt(a, b, /):
    """a > b, bool"""
    return binary(a, b, OP_gt)


def ge(a, b, /):
    """a >= b, bool"""
    return binary(a, b, OP_ge)


def tanh_grad(g, out, /):
    """g * (1 - out^2)"""
    return binary(g, out, OP_tanh_grad)


def sigmoid_grad(g, out, /):
    """g * out * (1 - out)"""
    return binary(g, out, OP_sigmoid_grad)


def softplus_grad(g, x, /):
    """g * sigmoid(x)"""
    return binary(g, x, OP_softplus_grad)


def relu_grad(g, x, /):
    """g where not x <= 0, else exactly 0, whatever g is."""
    return binary(g, x, OP_relu_grad)


def leaky_relu(x, slope, /):
    """x where x > 0, else x * slope."""
    return binary(x, slope, OP_leaky_relu)


def elu(x, alpha, /):
    """x where x > 0, else alpha * (e^x - 1)."""
    return binary(x, alpha, OP_elu)
