"""Points and gates in the XML that build servers read (JUnit's)."""

from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from aistrale_lab.batch.outcome import Finding
from aistrale_lab.logs import visible


def junit_xml(
    name: str, points: Sequence[dict[str, Any]], findings: Sequence[Finding]
) -> str:
    """One case a point and one for each gate of each run.

    A point that is not completed is an error; failed samples and a gate that is not
    met are failures.
    """
    suite = Element("testsuite", name=visible(name))
    for point in points:
        case = SubElement(suite, "testcase", classname="points", name=point["name"])
        failed = sum(run["failed"] for run in point["runs"])
        if point["status"] != "completed":
            _fault(case, "error", f"{point['status']}: {point['reason'] or 'not run'}")
        elif failed:
            _fault(case, "failure", f"{failed} samples failed")
    for one in findings:
        title = f"{one.gate}: {one.point}, {one.model}"
        case = SubElement(suite, "testcase", classname="gates", name=visible(title))
        if not one.met:
            _fault(case, "failure", str(one))
    suite.set("tests", str(len(suite)))
    for kind in ("error", "failure"):
        suite.set(f"{kind}s", str(len(suite.findall(f"testcase/{kind}"))))
    root = Element("testsuites")
    root.append(suite)
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, "unicode") + "\n"


def _fault(case: Element, kind: str, told: str) -> None:
    SubElement(case, kind, message=visible(" ".join(told.split())))
