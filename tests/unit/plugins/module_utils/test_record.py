# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records are what typing.NamedTuple makes, as far as it is used here."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.netops.conntrack.plugins.module_utils._record import Record


class Ours(Record):
    """A record."""

    name: str
    number: int = 5
    rest: tuple[str, ...] = ()

    @property
    def doubled(self) -> int:
        return 2 * self.number


class Theirs(t.NamedTuple):
    name: str
    number: int = 5
    rest: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (("a",), {}),
        (("a", 6), {}),
        (("a", 6, ("b",)), {}),
        ((), {"name": "a", "rest": ("b",)}),
        (("a",), {"number": 7}),
    ],
)
def test_a_record_is_made_compared_and_shown_as_a_named_tuple(values, named):
    ours, theirs = Ours(*values, **named), Theirs(*values, **named)
    assert ours == theirs and hash(ours) == hash(theirs)
    assert repr(ours).partition("(")[2] == repr(theirs).partition("(")[2]
    assert (ours.name, ours.number, ours.rest) == tuple(theirs)
    assert ours._replace(number=9) == theirs._replace(number=9)
    assert isinstance(ours._replace(number=9), Ours)
    assert ours._asdict() == theirs._asdict()
    assert ours.doubled == 2 * theirs.number


@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), (("a", 1, (), 2), {}), (("a",), {"name": "b"}), (("a",), {"other": 1}), ((), {"number": 1})],
)
def test_a_record_takes_its_fields_and_no_others(values, named):
    for made in (Ours, Theirs):
        with pytest.raises(TypeError):
            made(*values, **named)
    with pytest.raises((TypeError, ValueError)):
        Ours("a")._replace(**{**named, "other": 1})


def test_a_record_does_not_change_and_takes_no_other_attribute():
    for name in ("number", "other"):
        with pytest.raises(AttributeError):
            setattr(Ours("a"), name, 1)


def test_a_record_says_what_it_is():
    assert (Ours.__doc__, Ours._fields, str(Ours("a"))) == (
        "A record.",
        ("name", "number", "rest"),
        "Ours(name='a', number=5, rest=())",
    )
