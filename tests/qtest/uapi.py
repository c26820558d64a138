# SPDX-License-Identifier: MIT
"""The numbers and records of uapi/loom/*.h, under their own names.

    uapi.LOOM_REG_CTRL                  a constant
    uapi.LOOM_REG_QUEUE(0, offset)      a macro with parameters
    uapi.loom_completion.unpack(data)   a struct

The headers are read when this module is imported: a test that repeats one of
their numbers is wrong.
"""

import os
import re
import struct
import types

HEADERS = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "..", "..", "uapi", "loom")

COMMENT = re.compile(r"/\*.*?\*/", re.S)
DEFINE = re.compile(r"^#define +(\w+)(?:\(([\w, ]+)\))?[ \t]+(\S.*)$", re.M)
STRUCT = re.compile(r"^struct (\w+) \{\n(.*?)^\};", re.M | re.S)
MEMBER = re.compile(r"(?:struct )?(\w+) (\w+)(?:\[(\w+)\])?;")
SUFFIX = re.compile(r"\b(0x[0-9a-fA-F]+|\d+)[uUlL]+\b")

LETTERS = {"__u8": "B", "__u16": "H", "__u32": "I", "__u64": "Q", "__s64": "q"}


class Record:
    """A struct of the interface; members of structs inside it are its own."""

    def __init__(self, members):
        self.members = members
        self.layout = struct.Struct("<" + "".join(
            f"{count}{letter}" for _, letter, count in members))
        self.size = self.layout.size

    def pack(self, **values):
        """Bytes; what is not given is zero."""
        flat = []
        for name, _, count in self.members:
            value = values.pop(name, 0 if count == 1 else (0,) * count)
            flat += [value] if count == 1 else value
        if values:
            raise TypeError(f"no such member: {', '.join(values)}")
        return self.layout.pack(*flat)

    def unpack(self, data):
        flat = list(self.layout.unpack(data))
        result = types.SimpleNamespace()
        for name, _, count in self.members:
            setattr(result, name, flat[0] if count == 1 else tuple(flat[:count]))
            del flat[:count]
        return result


def read(name):
    with open(os.path.join(HEADERS, name)) as lines:
        return COMMENT.sub("", lines.read().replace("\\\n", " "))


def constants(text, names):
    """Add every #define that is an expression to names."""
    for name, parameters, value in DEFINE.findall(text):
        value = SUFFIX.sub(r"\1", value)
        if parameters:
            value = f"lambda {parameters}: {value}"
        try:
            names[name] = eval(value, names)
        except (NameError, SyntaxError):
            pass    # not a number: a list of instructions, say
    names.pop("__builtins__", None)


def members(body, names):
    for kind, name, count in MEMBER.findall(body):
        if kind in LETTERS:
            yield name, LETTERS[kind], names[count] if count in names else int(count or 1)
        else:
            yield from names[kind].members


def records(text, names):
    for name, body in STRUCT.findall(text):
        names[name] = Record(list(members(body, names)))


def load():
    names = {}
    for header in ("loom_regs.h", "loom_isa.h"):
        text = read(header)
        constants(text, names)
        records(text, names)
    return names


globals().update(load())
