#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tests/fuzz/syzkaller/dev_loom.txt against the header that it describes.
cd "$(dirname "$0")/../.." || exit
exec /usr/bin/python3 -B - <<'PYTHON'
import re
import sys

HEADER = open("uapi/drm/loom_accel.h").read()
TEXT = open("tests/fuzz/syzkaller/dev_loom.txt").read()
# Names of the header that are no values of a field that the driver reads.
NO_VALUES = r"DRM_LOOM_(MAX_LABEL|BO_\w+|VM_UNUSABLE|QUEUE_\w+)$"
BYTES = {"int8": 1, "int16": 2, "int32": 4, "int64": 8, "ptr64": 8}
tests = failed = 0


def check(name, complaints):
    global tests, failed
    tests += 1
    for complaint in complaints:
        print(f"# {complaint}")
    failed += bool(complaints)
    print(f"{'not ok' if complaints else 'ok'} {tests} {name}")


def header_structs():
    """{struct: [(field, bytes)]}; bytes is None for a struct in a struct."""
    plain = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.S)
    widths = {"__u32": 4, "__u64": 8}
    found = {}
    for name, body in re.findall(r"^struct (drm_loom_\w+) \{(.*?)^\};", plain, re.S | re.M):
        found[name] = []
        for kind, field, count in re.findall(r"^\s*([\w ]+?) (\w+)(?:\[(\d+)\])?;", body, re.M):
            width = widths.get(kind)
            found[name].append((field, width and width * int(count or 1)))
    return found


def bytes_of(kind, resources):
    """The size of a field by its type in the description; None for a struct."""
    head, _, rest = kind.partition("[")
    if head in BYTES:
        return BYTES[head]
    if head in resources:
        return BYTES[resources[head]]
    if head == "array":
        element, count = rest.rstrip("]").split(",")
        return BYTES[element] * int(count)
    if head in ("const", "flags", "len", "bytesize"):
        return BYTES[rest.rstrip("]").rsplit(",", 1)[1].strip()]
    return None


def described_structs(resources):
    found = {}
    for name, body in re.findall(r"^(?:type )?(\w+)(?:\[[\w, ]+\])? \{\n(.*?)^\}", TEXT, re.S | re.M):
        found[name] = []
        for line in body.splitlines():
            field = re.match(r"\t(\w+)\t+(.*?)(?:\t\((?:in|out|inout)\))?$", line)
            if field:
                found[name].append((field[1], bytes_of(field[2], resources)))
    return found


def undefined_names(resources, structs, sets):
    """Types, flag sets and fields that are used but not there."""
    words = {"in", "out", "inout", "opt", "const", "flags", "len", "bytesize", "array", "ptr",
             "fd", "string", "vma", "fileoff", "open_flags", "mmap_prot", "mmap_flags",
             "type", "resource", "include", *BYTES}
    known = words | set(resources) | set(structs) | sets
    body = re.sub(r"^(#|include|openat|mmap|\w+ = ).*$", "", TEXT, flags=re.M)
    body = re.sub(r"^ioctl\$\w+\(fd fd_loom, cmd const\[\w+\], arg ", "", body, flags=re.M)
    names = set(re.findall(r"\b[a-z_][a-z0-9_]*\b", body))
    fields = {field for struct in structs.values() for field, _ in struct}
    return [f"{name} is not defined" for name in sorted(names - known - fields)]


print("TAP version 13\n1..6")
resources = dict(re.findall(r"^resource (\w+)\[(\w+)\]", TEXT, re.M))
resources = {name: "int32" if kind == "fd" else kind for name, kind in resources.items()}
structs = described_structs(resources)
sets = set(re.findall(r"^(\w+) = ", TEXT, re.M))

ioctls = set(re.findall(r"^#define (DRM_IOCTL_LOOM_\w+)", HEADER, re.M))
described = set(re.findall(r"cmd const\[(DRM_IOCTL_LOOM_\w+)\]", TEXT))
check("every_ioctl_is_described", [f"{name} is in one only" for name in ioctls ^ described])

complaints = []
for name, fields in header_structs().items():
    if structs.get(name) != fields:
        complaints.append(f"{name}: {fields} in the header, {structs.get(name)} here")
check("every_struct_has_the_fields_of_the_header", complaints)

numbers = set(re.findall(r"DRM_COMMAND_BASE \+ (DRM_LOOM_\w+)", HEADER))
values = set(re.findall(r"^#define (DRM_LOOM_\w+)", HEADER, re.M)) - numbers
check("every_flag_is_described",
      [f"{name} is missing" for name in sorted(values)
       if not re.match(NO_VALUES, name) and not re.search(rf"\b{name}\b", TEXT)])
check("every_flag_is_in_the_header",
      [f"{name} is not in the header" for name in set(re.findall(r"\bDRM_LOOM_\w+", TEXT))
       if not re.search(rf"\b{name}\b", HEADER)])
check("every_name_is_defined_and_used", undefined_names(resources, structs, sets) +
      [f"{name} is not used" for name in sorted(sets | set(structs) | set(resources))
       if len(re.findall(rf"\b{name}\b", TEXT)) < 2])
# syzkaller's compiler takes no description of what the kernel writes but its size.
check("what_the_driver_writes_is_plain",
      [f"{line.strip()} is an output" for line in re.findall(r"^\t.*\((?:out|inout)\)$", TEXT, re.M)
       if re.match(r"\t\w+\t+(?:flags|const|len|bytesize)\[", line)])
sys.exit(failed > 0)
PYTHON
