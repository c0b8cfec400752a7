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
        value.encode()  # Text that is not Unicode is not compared.
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


def outcome(make):
    """Calls, and keeps what Python raises: whatever it is, it is a refusal."""
    try:
        return make(), None
    except BaseException as error:
        return None, {"error": type(error).__name__, "message": str(error)[:300]}


def adjusted(tree, context):
    tree = tree.copy()
    made = fmf.context.Context(**{name: list(values) for name, values in context.items()})
    tree.adjust(made, undecided="skip")
    return tree


def nodes_of(tree, view):
    nodes = tree.prune(
        whole=view.get("whole", False),
        keys=view.get("keys", []),
        names=view.get("names", []),
        filters=view.get("filters", []),
        conditions=view.get("conditions", []))
    return {"nodes": [
        [node.name, [relative(source, tree.root) for source in node.sources], typed(node.data)]
        for node in nodes]}


def answers_to(request):
    raw, refused = outcome(lambda: fmf.Tree(request["path"]))
    trees = {}
    for view in request["views"]:
        if refused:
            yield refused
            continue
        context = view.get("context")
        key = json.dumps(context, sort_keys=True)
        if key not in trees:
            trees[key] = (raw, None) if context is None else outcome(lambda: adjusted(raw, context))
        tree, failed = trees[key]
        if failed:
            yield failed
        else:
            nodes, failed = outcome(lambda: nodes_of(tree, view))
            yield failed or nodes


def main():
    for line in sys.stdin:
        request = json.loads(line)
        if request.get("cwd"):
            os.chdir(request["cwd"])
        sys.stdout.write(json.dumps(list(answers_to(request))) + "\n")
        sys.stdout.flush()


main()
