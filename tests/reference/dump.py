"""Answers what Python's fmf makes of trees, for the differential tests.

Reads one JSON request a line from stdin and writes one JSON answer a line to stdout. A request is
{"path", "cwd", "views": [{"context": {dim: [values]} or null, "whole", "keys", "names", "filters", "conditions"}]}.
An answer has for each view either {"error": type} or {"nodes": [[name, sources relative to the root, typed data]]}.
Typed data tell apart what JSON does not: ["i", "12"], ["f", "1.5"], ["d", iso], ["m", [[key, value], ...]]...
"""

import datetime
import json
import os
import sys
import warnings

import fmf
import fmf.context
import fmf.utils

warnings.simplefilter("ignore")


def typed(value):
    if value is None:
        return ["n"]
    if isinstance(value, bool):
        return ["b", value]
    if isinstance(value, int):
        return ["i", str(value)]
    if isinstance(value, float):
        return ["f", repr(value)]
    if isinstance(value, str):
        return ["s", value]
    if isinstance(value, bytes):
        return ["y", value.hex()]
    if isinstance(value, (datetime.date, datetime.datetime)):
        return ["d", value.isoformat()]
    if isinstance(value, list):
        return ["l", [typed(item) for item in value]]
    if isinstance(value, tuple):
        return ["t", [typed(item) for item in value]]
    if isinstance(value, (set, frozenset)):
        return ["e", sorted((typed(item) for item in value), key=json.dumps)]
    if isinstance(value, dict):
        return ["m", [[typed(key), typed(item)] for key, item in value.items()]]
    raise TypeError(type(value).__name__)


def relative(source, root):
    return os.path.relpath(source, root)


def view_of(path, view):
    tree = fmf.Tree(path)
    context = view.get("context")
    if context is not None:
        made = fmf.context.Context(**{name: list(values) for name, values in context.items()})
        tree.adjust(made, undecided="skip")
    nodes = tree.prune(
        whole=view.get("whole", False),
        keys=view.get("keys", []),
        names=view.get("names", []),
        filters=view.get("filters", []),
        conditions=view.get("conditions", []))
    return [
        [node.name, [relative(source, tree.root) for source in node.sources], typed(node.data)]
        for node in nodes]


def main():
    for line in sys.stdin:
        request = json.loads(line)
        if request.get("cwd"):
            os.chdir(request["cwd"])
        answers = []
        for view in request["views"]:
            try:
                answers.append({"nodes": view_of(request["path"], view)})
            except BaseException as error:  # Whatever Python raises is a refusal.
                answers.append({"error": type(error).__name__, "message": str(error)[:300]})
        sys.stdout.write(json.dumps(answers) + "\n")
        sys.stdout.flush()


main()
