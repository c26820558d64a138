#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Fill the tables of hardware.rst from the headers in uapi/loom/.

The header is the fact, the book shows it.  Between the lines

    .. generated: NAME
    .. end

stands what this program makes; --check fails when it is out of date.
"""

import argparse
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BOOK = os.path.join(HERE, "hardware.rst")
UAPI = os.path.join(HERE, "..", "uapi", "loom")

SIZES = {"__u8": 1, "__u16": 2, "__u32": 4, "__u64": 8, "__s64": 8}
DEFINE = re.compile(r"^#define( +)(LOOM_\w+(?:\([a-z, ]+\))?)\s+(.+?)"
                    r"(?:\s*/\*\s*(.*?)\s*\*/)?$")


def read(name):
    with open(os.path.join(UAPI, name)) as lines:
        text = lines.read()
    return text.replace("\\\n", " ")


def table(head, rows):
    """An rst grid without grid: a simple table, cells on one line each."""
    rows = [[cell or "\\" for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows + [head]) for i in range(len(head))]
    rule = "  ".join("=" * width for width in widths)
    lines = [rule, "  ".join(h.ljust(w) for h, w in zip(head, widths)).rstrip(), rule]
    lines += ["  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip()
              for row in rows]
    return lines + [rule]


def defines(text, prefix):
    """(indented, name, value, comment) of the #defines that begin so."""
    for line in text.splitlines():
        match = DEFINE.match(line)
        if match and re.match(prefix, match.group(2)):
            value = re.sub(r"\s+", " ", match.group(3))
            yield len(match.group(1)) > 1, match.group(2), value, match.group(4) or ""


def registers(text, prefix, stop):
    rows = []
    inside = False
    for indented, name, value, comment in defines(text, "LOOM_"):
        if stop and re.match(stop, name):
            break
        if not indented:
            inside = re.match(prefix, name) is not None
            if inside:
                rows.append([f"``{value}``", f"**{name}**", comment])
        elif inside:
            rows.append(["", f"{name} = ``{value}``", comment])
    return table(["offset", "name", "meaning"], rows)


def constants(text, prefix, skip="$^"):
    rows = [[value, f"``{name}``", comment]
            for _, name, value, comment in defines(text, prefix)
            if not re.match(skip, name)]
    return table(["value", "name", "meaning"], rows)


def struct(text, name):
    """Offset, size, name and kernel-doc of each member of a struct."""
    body = re.search(r"^struct %s \{\n(.*?)^\};" % name, text, re.M | re.S).group(1)
    rows, offset = [], 0
    members = re.finditer(r"/\*\* @(\w+): (.*?) \*/\s*(struct )?(\w+) \w+(?:\[(\w+)\])?;",
                          body, re.S)
    for match in members:
        member, doc, is_struct, kind, count = match.groups()
        size = 16 if is_struct else SIZES[kind]
        if count:
            count = {"LOOM_VEC_NUM_PARAMS": "16"}.get(count, count)
            size *= int(count)
        rows.append([str(offset), str(size), f"``{member}``",
                     re.sub(r"\s+", " ", doc)])
        offset += size
    return table(["byte", "size", "field", "meaning"], rows)


def instructions(text):
    rows = [[f"``{number}``", name.lower(), form or "\\", doc]
            for name, number, form, doc in
            re.findall(r'X\((\w+),\s*(0x\w+),\s*"(\w*)",\s*"([^"]*)"\)', text)]
    return table(["code", "name", "form", "result"], rows)


def tables():
    regs, isa = read("loom_regs.h"), read("loom_isa.h")
    made = {
        "pci": constants(regs, r"LOOM_(PCI_|BAR_|MSIX_|DOORBELL_STRIDE)"),
        "limits": constants(regs, r"LOOM_(MAX_|VA_BITS)"),
        "registers": registers(regs, r"LOOM_REG_(?!PERF|CTX|QUEUE)", None),
        "contexts": registers(regs, r"LOOM_REG_CTX", None),
        "perf-registers": registers(regs, r"LOOM_REG_PERF", None),
        "counters": constants(regs, r"LOOM_PERF_(?!CTRL)"),
        "queue-registers": registers(regs, r"LOOM_QUEUE_(?!REGS)", None),
        "ring-entry": struct(regs, "loom_ring_entry"),
        "ring-constants": constants(regs, r"LOOM_(RING_|MAX_CMD)"),
        "completion": struct(regs, "loom_completion"),
        "event": struct(regs, "loom_event"),
        "event-constants": constants(regs, r"LOOM_EVENT_(QUEUE|DEVICE|F_)"),
        "errors": constants(regs, r"LOOM_ERR_", r"LOOM_ERR_COUNT"),
        "pte": constants(regs, r"LOOM_(PTE_|KIND_|PT_|PAGE_|HUGE_)", r"LOOM_PT_SHIFT"),
        "opcodes": constants(isa, r"LOOM_OP_"),
        "types": constants(isa, r"LOOM_TYPE_", r"LOOM_TYPE_COUNT"),
        "event-ops": constants(isa, r"LOOM_EVENT_OP_"),
        "copy-modes": constants(isa, r"LOOM_COPY_"),
        "instructions": instructions(isa),
    }
    for name in ("cmd", "cmd_nop", "cmd_event", "cmd_timestamp", "cmd_copy",
                 "cmd_matmul", "cmd_vector", "vec_operand", "vec_insn"):
        made[name] = struct(isa, "loom_" + name)
    return made


def fill(book, made):
    used = set()

    def replace(match):
        name = match.group(1)
        used.add(name)
        if name not in made:
            sys.exit(f"hardware.rst wants an unknown table: {name}")
        return "\n".join([f".. generated: {name}", ""] + made[name] + ["", ".. end"])

    book = re.sub(r"^\.\. generated: ([\w-]+)\n.*?^\.\. end$", replace, book,
                  flags=re.M | re.S)
    missing = sorted(set(made) - used)
    if missing:
        sys.exit("hardware.rst has no place for: " + " ".join(missing))
    return book


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true",
                        help="change nothing; status 1 when the book is out of date")
    args = parser.parse_args()
    with open(BOOK) as book:
        old = book.read()
    new = fill(old, tables())
    if args.check:
        if new != old:
            print("Documentation/hardware.rst is out of date: "
                  "run Documentation/gen-tables.py")
        return int(new != old)
    with open(BOOK, "w") as book:
        book.write(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
