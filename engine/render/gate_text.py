"""What gate and gather say: as text, and as the plain values of JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import TYPE_CHECKING, Any, Final

from engine.core.text import clean, count_of

if TYPE_CHECKING:
    from engine.policy.gate import Verdict

_DENIED: Final = (
    "Denied: nothing was approved. Change the files or the flags, then plan every shard again under a new name."
)
_SHOWN_MAX_COUNT: Final = 20  # of the lanes that did not end well, and of the apps that did not


def gate_document(verdict: Verdict) -> dict[str, Any]:
    """Return the document of `gate --format json`."""
    return {
        "format_version": 1,
        "fleet": verdict.about.fleet,
        "fingerprint": verdict.fingerprint,
        "applyable": not verdict.denied,
        "complete": verdict.complete,
        "lanes": dict(verdict.lanes),
        "findings": verdict.findings,
        "summary": verdict.summary,
    }


def gate_text(verdict: Verdict, *, next_command: str, step: str = "To apply") -> str:
    """Return what a reader needs: what is planned, what speaks against it, and the command of the next `step`.

    Without a command it is what a question is about.
    """
    lines = [
        f"Fleet {clean(verdict.about.fleet)}: {_lanes(verdict.lanes)}",
        "Plan: {create:,} to create, {delete_then_create:,} to replace, {delete:,} to delete.".format_map(
            verdict.summary
        ),
    ]
    for finding in verdict.findings:
        about = f"{clean(finding.key)}: " if finding.key else ""
        source = f" ({clean(finding.source)})" if finding.source else ""
        lines.append(f"  {finding.enforcement}  {clean(finding.rule)}: {about}{clean(finding.message)}{source}")
    if not verdict.complete:
        lines.append("Some domains could not be listed; nothing is done there. Their shards' plans say which.")
    if verdict.denied:
        return "\n".join([*lines, _DENIED, ""])
    if not next_command:
        return "\n".join([*lines, f"Fingerprint: {verdict.fingerprint}", ""])
    return "\n".join([*lines, f"Approved: {verdict.fingerprint}", f"{step}: {next_command}", ""])


def _lanes(lanes: Sized) -> str:
    return count_of(len(lanes), "account and region", "accounts and regions")


def gathered_text(document: Mapping[str, Any]) -> str:
    """Return the folded report: a line for each lane that did not end well, then what they have in common."""
    none = "nothing was reported" if document["exit_code"] else "nothing to do"
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in document["summary"].items()) or none
    lanes, bad = document["lanes"], [line for line in document["lanes"] if line["exit_code"]]
    lines = [f"Fleet {clean(document['fleet'])}: {_lanes(lanes)}; {counts}."]
    errors = document.get("errors", ())  # of shards that could not be carried out
    lines += [f"  {clean(one['code'])}  {clean(one['message'])}. {clean(one['hint'])}" for one in errors]
    for line in bad[:_SHOWN_MAX_COUNT]:
        why = "" if line["error"] is None else f": {clean(line['error']['message'])}"
        lines.append(f"  {clean(line['lane'])}  {clean(line['result'])} (exit code {line['exit_code']}){why}")
    if len(bad) > _SHOWN_MAX_COUNT:
        lines.append(f"  … and {len(bad) - _SHOWN_MAX_COUNT:,} more")
    for row in document["unwell"][:_SHOWN_MAX_COUNT]:
        why = "" if row["error"] is None else f": {clean(row['error']['message'])}"
        lines.append(f"  {row['outcome']}  {clean(row.get('key') or row['owner'])}{why}")
    rest = len(document["unwell"]) + document["more_unwell"] - _SHOWN_MAX_COUNT
    if rest > 0:
        lines.append(f"  … and {rest:,} more; --format json names up to {len(document['unwell']):,}")
    return "\n".join([*lines, f"Exit code {document['exit_code']}.", ""])
