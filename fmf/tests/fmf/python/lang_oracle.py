"""Answers what Python fmf says: one JSON question a line on stdin, one JSON answer a line on stdout.

An answer is {"r": result} or {"e": name of the exception}; "timeout" stands for what takes more than 0.3 seconds.
"""

import datetime
import json
import os
import re
import signal
import sys
import warnings

from fmf import utils
from fmf.context import CannotDecide, Context


class Timeout(BaseException):
    pass


def alarm(_signal, _frame):
    raise Timeout


def revive(value):
    """Dates travel as {"$date": iso}."""
    if isinstance(value, list):
        return [revive(item) for item in value]
    if isinstance(value, dict):
        if set(value) == {"$date"}:
            text = value["$date"]
            kind = datetime.datetime if "T" in text else datetime.date
            return kind.fromisoformat(text)
        return {key: revive(item) for key, item in value.items()}
    return value


def rule(question):
    context = Context(**question["context"])
    try:
        return context.matches(question["rule"])
    except CannotDecide:
        return None


def filtered(question):
    return utils.filter(
        question["filter"], revive(question["data"]), name=question["name"],
        regexp=question.get("regexp", True), sensitive=question.get("sensitive", True))


def condition(question):
    result = utils.evaluate(question["expression"], revive(question["data"]))
    return [bool(result), repr(result)]


def pattern(question):
    compiled = re.compile(question["pattern"])
    text = question["text"]
    groups = "".join(rf"(\g<{group}>)" for group in range(1, compiled.groups + 1))
    return [
        compiled.search(text) is not None,
        compiled.match(text) is not None,
        compiled.sub(r"<\g<0>>", text),
        groups,
        compiled.sub(groups, text),
    ]


def substitution(question):
    return re.sub(question["pattern"], question["template"], question["text"])


KINDS = {"rule": rule, "filter": filtered, "condition": condition, "pattern": pattern, "sub": substitution}


def main():
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, alarm)
    # What an expression prints is no answer.
    answers, sys.stdout = sys.stdout, open(os.devnull, "w")
    for line in sys.stdin:
        question = json.loads(line)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        try:
            answer = {"r": KINDS[question["kind"]](question)}
        except Timeout:
            answer = {"e": "timeout"}
        except BaseException as error:
            answer = {"e": type(error).__name__, "m": str(error)}
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(json.dumps(answer), file=answers)
    # At its end Python flushes what is `sys.stdout` then.
    answers.flush()


main()
