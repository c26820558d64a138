#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Make the manual pages of libaccel from its headers.

The headers are the manual; a page is a section of one, set for man(1).  Each
function has a page of its name that leads to its section's.
"""

import argparse
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
INCLUDE = os.path.join(HERE, "..", "include")
HEADERS = ["accel/accel.h", "accel/accel_cmd.h", "accel/accel_ops.h"]

SECTION = re.compile(r"^/\* -{5,} (.*) \*/$")
FUNCTION = re.compile(r"\b(accel_\w+)\s*\(")


class Item:
    """A declaration, or None, and the comment before it."""

    def __init__(self, comment, code):
        self.comment = comment
        self.code = code
        match = FUNCTION.search(code or "")
        is_function = match and "{" not in code
        self.function = match.group(1) if is_function else None


class Page:
    def __init__(self, name, title, header):
        self.name = name
        self.title = title
        self.header = header
        self.items = []

    def functions(self):
        return [item.function for item in self.items if item.function]


def comment_text(comment):
    """The lines of a comment without its decoration."""
    body = re.sub(r"^/\*\*?|\*/$", "", comment)
    lines = [re.sub(r"^\s*\* ?", "", line).rstrip() for line in body.split("\n")]
    while lines and not lines[0].strip():
        lines.pop(0)
    while lines and not lines[-1].strip():
        lines.pop()
    return [lines[0].strip()] + lines[1:] if lines else []


def tokens(text):
    """Comments and declarations at the outermost level, in order."""
    text = re.sub(r"^#ifdef __cplusplus.*?^#endif$", "", text, flags=re.M | re.S)
    text = re.sub(r"^#.*$", "", text, flags=re.M)
    at = 0
    while True:
        at += len(text[at:]) - len(text[at:].lstrip())
        if at >= len(text):
            return
        if text.startswith("/*", at):
            end = text.index("*/", at) + 2
        else:
            end, depth = at, 0
            while depth or text[end] != ";":
                if text.startswith("/*", end):
                    end = text.index("*/", end) + 2
                    continue
                depth += {"{": 1, "}": -1}.get(text[end], 0)
                end += 1
            end += 1
        yield text[at:end]
        at = end


def read_header(header):
    """The pages of a header; the first holds its DOC comment."""
    with open(os.path.join(INCLUDE, header)) as lines:
        text = lines.read()
    stem = os.path.basename(header)[:-2]
    pages = [Page(stem, "", header)]
    comment = None
    for token in tokens(text):
        section = SECTION.match(token)
        if section:
            name = "accel_" + re.sub(r"\W+", "_", section.group(1))
            pages.append(Page(name, section.group(1), header))
        elif token.startswith("/*"):
            if comment:
                pages[-1].items.append(Item(comment, None))
            comment = None if "SPDX" in token else comment_text(token)
        else:
            pages[-1].items.append(Item(comment, token))
            comment = None
        if section and comment:
            pages[-2].items.append(Item(comment, None))
            comment = None
    return pages


def escape(line):
    line = line.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + line if line[:1] in (".", "'") else line


def prose(lines):
    """Paragraphs; what is indented stands as it is."""
    out, literal = [], False
    for line in lines:
        indented = line.startswith(("  ", "\t"))
        if indented != literal and line.strip():
            out.append(".nf" if indented else ".fi")
            literal = indented
        if not line.strip():
            out.append(".sp" if literal else ".PP")
        else:
            out.append(escape(line.expandtabs(4)))
    return out + [".fi"] if literal else out


def code(text):
    """A declaration without its comments."""
    text = re.sub(r"[ \t]*/\*.*?\*/\n?", "", text, flags=re.S)
    return [".PP", ".nf"] + [escape(line.expandtabs(8))
                             for line in text.split("\n") if line.strip()] + [".fi"]


def members(text):
    """The described members of a struct or enum."""
    out = []
    for comment in re.findall(r"/\*\*(.*?)\*/", text, flags=re.S):
        words = " ".join(re.sub(r"^\s*\* ?", "", line).strip()
                         for line in comment.split("\n")).strip()
        name, _, meaning = words.partition(": ")
        out += [".TP", ".I " + escape(name.lstrip("@")), escape(meaning)]
    return out


def describe(item):
    """Comment of one item: heading, parameters, text."""
    lines = item.comment
    if not lines:
        return []
    head = re.match(r"((?:struct |enum )?accel_\w+(?:\(\))?) - (.*)", lines[0])
    if not head:
        return [".PP"] + prose(lines)
    out = [".SS " + escape(head.group(1)), escape(head.group(2))]
    rest = []
    for line in lines[1:]:
        param = re.match(r"@(\w+): ?(.*)", line)
        if param:
            out += [".TP", ".I " + param.group(1), escape(param.group(2))]
        elif out[-3:-2] == [".TP"] and line.startswith((" ", "\t")) and not rest:
            out[-1] += " " + escape(line.strip())
        else:
            rest.append(line)
    if rest:
        out += [".PP"] + prose(rest)
    return out


def render(page, pages):
    names = page.functions() or [page.name]
    out = [".\\\" Made by libaccel/man/make-man.py from <%s>." % page.header,
           ".TH %s 3 \"\" \"libaccel\"" % page.name.upper(),
           ".SH NAME", "%s \\- %s" % (escape(", ".join(names)),
                                      escape(page.title or "libaccel")),
           ".SH SYNOPSIS", ".nf", "#include <%s>" % page.header,
           "cc ... \\-laccel", ".fi"]
    for item in page.items:
        if item.code:
            out += code(item.code)
    out.append(".SH DESCRIPTION")
    for item in page.items:
        out += describe(item)
        if item.code and "{" in item.code:
            out += members(item.code)
    out += [".SH RETURN VALUE",
            "Functions that return int give 0 or a negative errno, unless said",
            "otherwise above;", ".BR accel_last_error (3)",
            "then tells what failed, why, and what to do.",
            ".SH SEE ALSO"]
    others = [p.name for p in pages if p.name != page.name]
    out += [".BR %s (3)%s" % (escape(name), "," if name != others[-1] else "")
            for name in others]
    return "\n".join(out) + "\n"


def write(path, text):
    with open(path, "w") as out:
        out.write(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dir", help="where to put the pages, e.g. build/man/man3")
    args = parser.parse_args()
    os.makedirs(args.dir, exist_ok=True)
    pages = [page for header in HEADERS for page in read_header(header)]
    for page in pages:
        write(os.path.join(args.dir, page.name + ".3"), render(page, pages))
        for function in page.functions():
            write(os.path.join(args.dir, function + ".3"),
                  ".so man3/%s.3\n" % page.name)


if __name__ == "__main__":
    main()
