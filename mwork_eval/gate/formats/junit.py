"""The check as JUnit XML: a test case for everything that was compared or could not be."""

from datetime import UTC, datetime
from xml.etree import ElementTree

from mwork_eval.gate import wording
from mwork_eval.gate.check import Check
from mwork_eval.gate.verdict import Outcome

_SUITE = "mwork check"


def as_junit(check: Check) -> str:
    """Return the XML: a regression is a failure, what could not be compared an error.

    It has all that the schemas of Ant and Jenkins require, so it begins with the time of writing.
    """
    findings = list(check.findings())
    failures = sum(verdict.outcome is Outcome.REGRESSION for _, verdict in findings)
    counts = {
        "tests": str(len(findings) + len(check.problems)),
        "failures": str(failures),
        "errors": str(len(check.problems)),
        "time": "0",
    }
    root = ElementTree.Element("testsuites", {"name": _SUITE, **counts})
    written = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    about = {"name": _SUITE, "package": "mwork_eval", "id": "0", "hostname": "localhost", "timestamp": written}
    suite = ElementTree.SubElement(root, "testsuite", {**about, **counts})
    ElementTree.SubElement(suite, "properties")
    for name, verdict in findings:
        case = _case(suite, name)
        if verdict.outcome is Outcome.REGRESSION:
            _result(case, "failure", verdict.reason)
    for problem in check.problems:
        _result(_case(suite, problem.subject), "error", problem.reason)
    lines = [wording.headline(check), wording.folders(check), wording.control(check)]
    lines += wording.reasons(check, Outcome.UNSURE)
    ElementTree.SubElement(suite, "system-out").text = "\n".join([*lines, *map(wording.plain, check.notes)])
    ElementTree.SubElement(suite, "system-err")
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ElementTree.Element, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname="mwork.check", name=wording.plain(name), time="0")


def _result(case: ElementTree.Element, kind: str, reason: str) -> None:
    text = wording.plain(reason)
    ElementTree.SubElement(case, kind, message=text, type="mwork.check").text = text
