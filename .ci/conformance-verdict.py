"""Counts the verdicts of a WebSocket conformance report; exit status 1 unless every case is good."""

import json
import sys
from collections import Counter

GOOD = {"OK", "INFORMATIONAL"}
# Number of cases without 12 and 13. A report with fewer is truncated, or of selected cases.
ALL_CASES = 301


def main(path):
    try:
        with open(path, encoding="utf-8") as file:
            agents = json.load(file)
    except OSError as error:
        sys.exit(f"there is no report: {error}; see the log beside it")
    cases = [case for agent in agents.values() for case in agent.items()]
    bad = [
        (name, verdicts["behavior"], verdicts["behaviorClose"])
        for name, verdicts in cases
        if verdicts["behavior"] not in GOOD or verdicts["behaviorClose"] not in GOOD
    ]
    for what in ("behavior", "behaviorClose"):
        counts = Counter(verdicts[what] for _, verdicts in cases)
        print(f"{what}: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
    for name, behavior, close in sorted(bad):
        print(f"case {name}: behavior {behavior}, close {close}")
    print(f"{len(cases)} cases ({ALL_CASES} in all), {len(bad)} bad")
    sys.exit(1 if bad or not cases else 0)


main(sys.argv[1])
