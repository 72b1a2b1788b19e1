#!/usr/bin/env python3
"""Method calls between the files of src/engine: how many, and which files form a cycle.

    tests/tidy/calls.py [FOLDER]

Read as text: a method of a type belongs to the file of its `impl`. A call `self.name(…)` goes to the type of the `impl` around
it, a call `self.part.name(…)` to the type of that field. Calls on other values are not followed, tests are left out.
"""
import re
import sys
from collections import defaultdict
from pathlib import Path

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "src/engine")
impl = re.compile(r"^impl(?:<[^>]*>)? (?:[\w:<>']+ for )?(\w+)")
method = re.compile(r"^    (?:pub(?:\([^)]*\))? )?(?:const )?fn (\w+)")


def code(path):
    text = path.read_text()
    cut = re.search(r"^#\[cfg\(test\)\]\nmod tests \{", text, re.M)
    text = text[: cut.start()] if cut else text
    return [re.sub(r"//.*", "", line) for line in text.splitlines()]


files = [path for path in sorted(folder.rglob("*.rs")) if path.name != "tests.rs" and "tests" not in path.parts]
owner, fields = {}, {}
for path in files:
    kind = None
    for line in code(path):
        if found := impl.match(line):
            kind = found[1]
        elif line.startswith("}"):
            kind = None
        elif kind and (found := method.match(line)):
            owner.setdefault((kind, found[1]), path)
    record = None
    for line in code(path):
        if found := re.match(r"^(?:pub(?:\([^)]*\))? )?struct (\w+)", line):
            record = found[1]
        elif line.startswith("}"):
            record = None
        elif record and (found := re.match(r"^    (?:pub(?:\([^)]*\))? )?(\w+): (.*),$", line)):
            fields[record, found[1]] = re.sub(r"^(?:(?:Option|Box)<)*|>*$", "", found[2]).split("::")[-1]

calls, own = defaultdict(int), 0
for path in files:
    kind = None
    for line in code(path):
        if found := impl.match(line):
            kind = found[1]
        elif line.startswith("}"):
            kind = None
        for receiver, name in re.findall(r"\b((?:\w+\.)+)(\w+)\(", line):
            first, *parts = receiver.rstrip(".").split(".")
            kind_of = kind if first == "self" else None
            for part in parts:
                kind_of = fields.get((kind_of, part))
            target = owner.get((kind_of, name))
            if target and target != path:
                calls[path, target] += 1
                own += kind == "Engine" and not parts

graph = defaultdict(set)
for source, target in calls:
    graph[source].add(target)


def reachable(start):
    seen, ahead = set(), [start]
    while ahead:
        for target in graph[ahead.pop()]:
            if target not in seen:
                seen.add(target)
                ahead.append(target)
    return seen


cycle = [path for path in files if path in reachable(path)]
engine = [path for path in files if any(impl.match(line) and impl.match(line)[1] == "Engine" for line in code(path))]
print(f"{len(files)} files, {len(engine)} with `impl Engine`")
print(f"{sum(calls.values())} calls between files, {own} of them by `Engine` to itself; {len(cycle)} files in a cycle")
for path in cycle:
    print(f"  {path.relative_to(folder)} ↔ {', '.join(sorted(str(t.relative_to(folder)) for t in graph[path] if path in reachable(t)))}")
