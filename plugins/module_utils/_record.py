# Copyright (c) 2026 the netops.conntrack authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Named tuples that cost a module run next to nothing to define.

``typing.NamedTuple`` compiles each annotation, and a function for each class: three dozen of them took a run twenty
times as long as these. Where very many are made, as in ``_entries``, its own are made faster.
"""

from __future__ import annotations

import operator
import typing as t

__all__ = ["Record"]

if t.TYPE_CHECKING:
    from typing import NamedTuple as Record
else:

    def _new(cls: t.Any, *values: t.Any, **named: t.Any) -> t.Any:
        if named or len(values) != len(cls._fields):
            given = dict(zip(cls._fields, values))
            found = {**cls._field_defaults, **given, **named}
            if len(values) > len(cls._fields) or given.keys() & named or found.keys() != set(cls._fields):
                raise TypeError(f"{cls.__name__} has the fields {cls._fields}, but was given {values} and {named}")
            values = tuple(found[field] for field in cls._fields)
        return tuple.__new__(cls, values)

    def _asdict(self: t.Any) -> dict[str, t.Any]:
        return dict(zip(self._fields, self))

    def _replace(self: t.Any, **named: t.Any) -> t.Any:
        return type(self)(**{**_asdict(self), **named})

    def _repr(self: t.Any) -> str:
        fields = ", ".join(f"{field}={value!r}" for field, value in _asdict(self).items())
        return f"{type(self).__name__}({fields})"

    class _Defining(type):
        """Makes a class with annotations a tuple with these fields; what they are set to is their default."""

        def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, t.Any]) -> t.Any:
            if not bases:
                return super().__new__(cls, name, bases, namespace)
            fields = tuple(namespace.get("__annotations__", ()))
            defaults = {field: namespace[field] for field in fields if field in namespace}
            namespace.update({field: property(operator.itemgetter(at)) for at, field in enumerate(fields)})
            namespace.update(__slots__=(), _fields=fields, _field_defaults=defaults)
            namespace.update(__new__=_new, _asdict=_asdict, _replace=_replace)
            namespace.setdefault("__repr__", _repr)
            return type(name, (tuple,), namespace)

    class Record(metaclass=_Defining):
        """What such a class is written below."""
