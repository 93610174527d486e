"""Chart of correlational estimates against experiments' estimates, from the figures of docs/verdicts.md."""

from html import escape
from pathlib import Path

WORLDS = ("step", "smooth", "no_effect")
WORDS = {
    "en": {
        "title": "What correlation promises, what the experiment finds",
        "step": "Staying rises at a number of times",
        "smooth": "Staying rises with every time",
        "no_effect": "The behaviour does nothing",
        "promised": "promised by correlation",
        "found": "found by the experiment",
        "truth": "the truth",
        "unit": "points of retention; made-up worlds whose truth is known",
        "row": "{world}: correlation promises {promised}, the experiment finds {found}, the truth is {truth} points.",
    },
    "ko": {
        "title": "상관관계에서 기대한 값과 실험에서 확인된 값",
        "step": "어떤 횟수에서 잔존이 오르는 세계",
        "smooth": "할 때마다 잔존이 오르는 세계",
        "no_effect": "행동에 효과가 없는 세계",
        "promised": "상관관계에서 기대한 값",
        "found": "실험에서 확인된 값",
        "truth": "참값",
        "unit": "단위 %p(잔존율), 참값을 아는 가상 세계",
        "row": "{world}: 상관관계에서 기대한 값은 {promised}%p, 실험에서 확인된 값은 {found}%p, 참값은 {truth}%p입니다.",
    },
}
WIDTH, ROW, TOP = 480, 84, 104
LARGEST = 50.0  # points at the right end of the axis
LEFT, RIGHT = 30, 60  # pixels left of zero, and for the figure after a bar


def pictures(root: Path) -> dict[str, str]:
    """The chart in both languages."""
    found = figures((root / "docs" / "verdicts.md").read_text("utf-8"))
    return {
        f"reference/pictures/promise{'' if language == 'en' else '.ko'}.svg": _drawn(found, WORDS[language])
        for language in WORDS
    }


def figures(text: str) -> dict[str, dict[str, float]]:
    """Truth, median estimate and correlation of each world in the chart, in percentage points."""
    lines = text.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("| world | truth |"))
    found = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] in WORLDS:
            found[cells[0]] = {"truth": float(cells[1]), "found": float(cells[2]), "promised": float(cells[-1])}
    return {world: found[world] for world in WORLDS}


def _drawn(found: dict[str, dict[str, float]], words: dict[str, str]) -> str:
    height = TOP + ROW * len(found) + 34
    said = " ".join(
        words["row"].format(world=words[world], **{k: f"{v:+.1f}" for k, v in row.items()})
        for world, row in found.items()
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="t d" '
        'font-family="system-ui, Noto Sans, Noto Sans CJK KR, sans-serif" font-size="14">',
        f'<title id="t">{escape(words["title"])}</title><desc id="d">{escape(said)}</desc>',
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
        f'<text x="20" y="34" font-size="17" font-weight="600" fill="#16202a">{escape(words["title"])}</text>',
        f'<rect x="20" y="50" width="14" height="14" fill="#b9c3cd"/><text x="40" y="62" fill="#16202a">{escape(words["promised"])}</text>',
        f'<rect x="20" y="72" width="14" height="14" fill="#0072b2"/><text x="40" y="84" fill="#16202a">{escape(words["found"])}</text>',
        f'<path d="M297 70v18" stroke="#9a4600" stroke-width="3"/><text x="308" y="84" fill="#16202a">{escape(words["truth"])}</text>',
    ]
    for place, (world, row) in enumerate(found.items()):
        y = TOP + ROW * place
        parts.append(f'<text x="20" y="{y + 18}" font-weight="600" fill="#16202a">{escape(words[world])}</text>')
        parts += _bar(y + 26, row["promised"], "#b9c3cd") + _bar(y + 48, row["found"], "#0072b2")
        x = _x(row["truth"])
        parts.append(f'<path d="M{x} {y + 24}v44" stroke="#9a4600" stroke-width="3"/>')
    parts.append(f'<text x="20" y="{height - 14}" font-size="12" fill="#4a5661">{escape(words["unit"])}</text></svg>')
    return "\n".join(parts) + "\n"


def _bar(y: int, value: float, colour: str) -> list[str]:
    """A bar from zero to a value, with the value after it."""
    first, last = sorted((_x(0.0), _x(value)))
    return [
        f'<rect x="{first}" y="{y}" width="{max(1.0, round(last - first, 1))}" height="18" fill="{colour}"/>',
        f'<text x="{round(max(last, _x(0.0)) + 8, 1)}" y="{y + 14}" fill="#16202a">{value:+.1f}</text>',
    ]


def _x(value: float) -> float:
    return round(LEFT + value * (WIDTH - LEFT - RIGHT) / LARGEST, 1)
