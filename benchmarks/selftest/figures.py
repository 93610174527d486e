"""Figures of self-tests as Markdown, between two marks of a page."""

from pathlib import Path
from typing import Any

from benchmarks.frame import commit

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def section(title: str, asks: tuple[str, ...], found: dict[str, Any], seconds: float) -> str:
    """One log: what was asked, where effects were planted, what was found and falsely claimed, and why not more."""
    planted, retained = found["planted"], found["retained"]
    lines = [
        f"### {title}",
        "",
        f"`selftest {' '.join(asks)} --plants {found['asked']['plants']} --seed {found['seed']} "
        f"--users {found['asked']['most_users']}`, {seconds:,.0f} s "
        "on a machine with other work.",
        "",
        f"{found['sampled']:,} of {found['users']:,} users; {_share(retained)} retained in truth. {found['headline']}",
    ]
    if planted:
        moment = planted["moment"]
        lines += [
            "",
            f"Planted on `{moment['behaviour']}`, at least {moment['times']} times within {moment['days']} days "
            f"(reached by {100 * moment['reach']:.1f} %): {100 * planted['gain']:.1f} points of retention.",
        ]
    if found["check"]:
        lines += ["", _check(found["check"])]
    if found["tallies"]:
        lines += [
            "",
            "| planted | what is said | k of n | share, exact 95 % | promised at most |",
            "|---|---|---|---|---|",
        ]
        lines += [_row(tally) for tally in found["tallies"]]
    if found["shortfalls"]:
        lines += ["", "What these data can't show, and why:", ""]
        lines += [f"* {row['sentence']}" for row in found["shortfalls"]]
    return "\n".join(lines)


def _row(tally: dict[str, Any]) -> str:
    from insight_site.selftest.planting.planted_outcomes import Plant
    from insight_site.selftest.selftest_result import Asks
    from insight_site.selftest.selftest_words import asks_words, plant_words

    planned = (
        "" if tally["planned"] is None else f"{100 * tally['planned']:.0f} %" + (" **no**" if tally["off"] else "")
    )
    plant = None if tally["plant"] is None else Plant(tally["plant"])
    cells = [plant_words(plant), asks_words(Asks(tally["asks"])), f"{tally['said']} of {tally['n']}"]
    return f"| {' | '.join([*cells, _share(tally['share']), planned])} |"


def _share(found: dict[str, Any]) -> str:
    return f"{100 * found['estimate']:.1f} % ({100 * found['low']:.1f} to {100 * found['high']:.1f})"


def _check(check: dict[str, Any]) -> str:
    place = f"number {check['place']}" if check["place"] else "not listed"
    return (
        f"The first copy as a log: {check['differing']} of {check['units']:,} users read otherwise than planted. "
        f"A whole study of it: {place} of {check['candidates']} candidates, step: {check['step'] or 'not judged'}."
    )


def write(page: Path, text: str) -> None:
    """Put the text between the marks of a page, with the commit that it was made by."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\nMade by commit {commit()}.\n\n{text}\n{END}{after}", encoding="utf-8")
