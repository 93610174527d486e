"""Reference of the one-line forms of behaviours, retention and metrics, each with its sentence on pages."""

from django.utils.translation import override

from events.metrics import parse_behaviour, parse_metric, parse_retention
from events.metrics.sentences import sentence
from tools.docs_site.reference.markdown import code, made_of, table

BEHAVIOURS = ("friend_add", "friend_add[source=guild]", "level#map", "purchase[currency=KRW]#item")
RETENTION = (
    "on_day:7",
    "window:14-20",
    "week:2",
    "unbounded:14",
    "min_days:14-20:2",
    "min_events:purchase:14-20:3",
    "survival:7",
)
METRICS = (
    "count:friend_add:0-6",
    "sum:purchase:price:0-6",
    "active_days:0-6",
    "sum:purchase:price:0-6 / count:purchase:0-6",
    "capped:100:sum:purchase:price:0-6",
    "capped:99.9%:sum:purchase:price:0-6",
    "quantile:90%:sum:purchase:price:0-6",
    "funnel:open:cart:purchase:0-6",
    "sql:0-6:SELECT user_id, COUNT(*) AS value FROM events GROUP BY user_id",
)
WORDS = {
    "en": (
        "Metrics", "Behaviours", "Retention", "Metrics of a unit", "you write", "it means",
        "A definition is one line. The same line labels users in a study and judges the experiment. `0-6` are days after the "
        "start of a unit's clock, day 0 first. A backslash stands before `\\ : [ ] # = /` in a name.\n",
        "Instead of a line, `metric:KEY` takes a metric of the catalogue: [metrics.md](../metrics.md). SQL: [sql_metrics.md](../sql_metrics.md).\n",
        made_of("the code that reads the lines and says the sentences"),
    ),
    "ko": (
        "지표", "행동", "잔존", "사용자별 지표", "쓰는 형식", "뜻",
        "정의는 한 줄입니다. 같은 줄이 탐색에서 사용자를 나누고 실험을 판정합니다. `0-6`은 사용자의 시계가 시작된 뒤의 날이며 0일차부터 셉니다. "
        "이름에 있는 `\\ : [ ] # = /` 앞에는 역슬래시를 씁니다.\n",
        "한 줄 대신 `metric:KEY`로 카탈로그의 지표를 쓸 수 있습니다: [metrics.md](../metrics.md). SQL 지표: [sql_metrics.md](../sql_metrics.md).\n",
        "*이 페이지는 문서를 빌드할 때마다 정의를 읽고 문장으로 옮기는 코드에서 만들어집니다.*\n",
    ),
}  # fmt: skip


def pages() -> dict[str, str]:
    """The forms in English and in Korean."""
    return {f"reference/metrics{'' if language == 'en' else '.ko'}.md": _page(language) for language in WORDS}


def _page(language: str) -> str:
    title, behaviours, retention, metrics, write, means, lead, catalogue, origin = WORDS[language]
    groups = (
        (behaviours, BEHAVIOURS, parse_behaviour),
        (retention, RETENTION, parse_retention),
        (metrics, METRICS, parse_metric),
    )
    parts = [f"# {title}\n", origin, lead]
    with override(language):
        for heading, lines, read in groups:
            rows = [(code(line), sentence(read(line))) for line in lines]
            parts += [f"## {heading}\n", table((write, means), rows)]
    return "\n".join([*parts, catalogue])
