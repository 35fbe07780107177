"""Samples of sums of products in Einstein's notation: pairs for the operation, anything that NumPy takes for the function."""

from __future__ import annotations

from .making import Sample, laid, spaced

PAIRS: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = [
    ("ab,bc->ac", (2, 3), (3, 4)), ("ab,cb->ca", (2, 3), (4, 3)), ("ab,b->a", (2, 3), (3,)), ("a,a->", (3,), (3,)), ("a,b->ab", (2,), (3,)),
    ("a,b->ba", (2,), (3,)), ("ab,ab->", (2, 3), (2, 3)), ("ab,ab->ab", (2, 3), (2, 3)), ("ab,ab->b", (2, 3), (2, 3)), (",->", (), ()),
    ("ab,->ba", (2, 3), ()), (",a->a", (), (3,)), ("abc,cd->dab", (2, 3, 4), (4, 5)), ("abcd,aecd->abe", (2, 3, 1, 4), (2, 2, 1, 4)),
    ("abc,abd->adc", (2, 3, 4), (2, 3, 5)), ("abc,bad->cd", (2, 3, 4), (3, 2, 5)), ("ab,bc->ac", (0, 3), (3, 4)),
    ("ab,bc->ac", (2, 0), (0, 4)),
    ("ab,ab->a", (2, 0), (2, 0)), ("abc,abd->acd", (0, 3, 2), (0, 3, 1)), ("ab,b->a", (1, 1), (1,)),
]  # fmt: skip

RULES: list[tuple[str, tuple[tuple[int, ...], ...]]] = [
    # one operand: order, sums, diagonals, ellipsis
    ("ij->ji", ((2, 3),)), ("ij->ij", ((2, 3),)), ("ba", ((2, 3),)), ("ij->j", ((2, 3),)), ("ij->", ((2, 3),)), ("ii", ((3, 3),)),
    ("ii->i", ((3, 3),)), ("iij->ji", ((3, 3, 2),)), ("iji->j", ((3, 2, 3),)), ("iii->i", ((2, 2, 2),)), ("iijj->ij", ((2, 2, 3, 3),)),
    ("iijj", ((2, 2, 3, 3),)), ("...", ((2, 3),)), ("...i->...", ((2, 3),)), ("i...->...i", ((2, 3, 4),)), ("i...j->...", ((2, 3, 4),)),
    ("...ii->...i", ((2, 3, 3),)), ("i...i->...", ((3, 2, 3),)), ("", ((),)), ("->", ((),)), ("ij->ji", ((0, 3),)), ("ij->i", ((2, 0),)),
    ("ii->i", ((1, 1),)), (" i j -> j i ", ((2, 3),)),
    # two: products of every kind, both spellings, labels in one operand alone
    ("ij,jk->ik", ((2, 3), (3, 4))), ("ij,jk", ((2, 3), (3, 4))), ("ij,kj->ik", ((2, 3), (4, 3))), ("ij,kj->ki", ((2, 3), (4, 3))),
    ("i,i", ((3,), (3,))), ("i,j->ji", ((2,), (3,))), ("ij,ij->ij", ((2, 3), (2, 3))), ("ij,ji->", ((2, 3), (3, 2))),
    ("bij,bjk->bik", ((2, 3, 4), (2, 4, 1))), ("bqhd,bkhd->bhqk", ((2, 3, 2, 4), (2, 5, 2, 4))), ("ij,k->i", ((2, 3), (4,))),
    ("ij,jk->", ((2, 3), (3, 4))), ("i,->i", ((3,), ())), (",", ((), ())), ("b,A", ((2,), (3,))), ("bij,kj->bik", ((2, 3, 4), (5, 4))),
    # repeated labels beside others
    ("ii,i->i", ((3, 3), (3,))), ("ii,ij->j", ((3, 3), (3, 2))), ("iij,jk->ik", ((2, 2, 3), (3, 4))), ("ii,jj->ij", ((2, 2), (3, 3))),
    ("iij,iij->", ((2, 2, 3), (2, 2, 3))),
    # ellipsis and axes of length 1, which stretch
    ("...ij,...jk->...ik", ((5, 2, 3), (3, 4))), ("...ij,...jk", ((2, 3), (5, 3, 4))), ("...,...", ((2, 3), (3,))),
    ("i...,i...->...", ((3, 2), (3, 4, 2))), ("...i,i->...", ((2, 3), (3,))), ("...i,...i->...", ((2, 1, 3), (4, 3))),
    ("ij,ij->ij", ((1, 3), (2, 1))), ("ij,jk->ik", ((2, 1), (3, 4))), ("ij,jk->ik", ((2, 3), (1, 4))), ("ii,i->i", ((1, 1), (3,))),
    ("ii,i->i", ((3, 3), (1,))), ("i,i->", ((1,), (1,))), ("...ij,...jk->...ik", ((1, 2, 3), (4, 3, 2))),
    # nothing in it
    ("ij,jk->ik", ((0, 3), (3, 4))), ("ij,jk->ik", ((2, 0), (0, 4))), ("i,i->i", ((1,), (0,))), ("ij,j->", ((2, 0), (0,))),
    # three and more
    ("ij,jk,kl->il", ((2, 3), (3, 4), (4, 2))), ("i,i,i->i", ((3,), (3,), (3,))), ("i,j,k->kji", ((2,), (3,), (4,))),
    ("bi,io,bo->b", ((2, 3), (3, 4), (2, 4))), ("bi,ijk,bk->bj", ((2, 3), (3, 4, 2), (2, 2))),
    ("ij,jk,kl,lm->im", ((2, 3), (3, 2), (2, 4), (4, 1))),
    ("...i,ij,...j->...", ((2, 3), (3, 4), (2, 4))), ("ii,ij,jj->", ((2, 2), (2, 3), (3, 3))), ("a,,ab->b", ((2,), (), (2, 3))),
    ("ij,jk,ki", ((2, 0), (0, 3), (3, 2))), ("i,i,i", ((1,), (3,), (1,))), ("ab,bc,ab->ac", ((2, 3), (3, 2), (2, 3))),
]  # fmt: skip

SAMPLES: dict[str, list[Sample]] = {
    "einsum": [Sample((spaced(*a), spaced(*b)), {"subscripts": rule}) for rule, a, b in PAIRS]
    + laid(spaced(3, 4), spaced(2, 4), subscripts="ab,cb->ca")
    + laid(spaced(2, 3, 4), spaced(4, 2, 3), subscripts="abc,cab->b"),
    "einsum()": [Sample(tuple([spaced(*shape) for shape in shapes]), {"subscripts": rule}) for rule, shapes in RULES]
    + laid(spaced(3, 4), spaced(4, 2), subscripts="ij,jk->ki")
    + laid(spaced(3, 3), spaced(3, 2), subscripts="ii,ij->j"),
}
