"""No notice says anything of a locked outcome: every template, both languages, every state of the lock.

Two ways. Canaries: an analysis that holds everything of an open outcome, and whose lock is shut: nothing that is
planted in it, no verdict, no direction and no number may be found in what is sent. And two worlds that differ in their
outcomes alone: what is sent is the same to the letter, and so is what is sent at all, so that its coming tells nothing.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.utils import timezone, translation

from experiments.analyse.codes import Code, code_words
from experiments.analyse.result import AnalysisResult, Opened, State
from experiments.models import Analysis
from insight_site.models import Digest, Notice, NoticeChannel, ToldState
from insight_site.notify import digest
from insight_site.notify.delivering import deliver_due
from insight_site.notify.digest import gather
from insight_site.notify.digest_letters import digest_letter, standalone
from insight_site.notify.dispatch import hear, news_of
from insight_site.notify.notice_kinds import KINDS, say_notice
from runs.queue.jobs import OVER
from tests.experiments.make_locked import keep, two_worlds
from tests.experiments.make_readout import RUNNING, make_readout, make_result, stored
from tests.insight_site.notices.make import configure, due, everything
from tests.insight_site.notices.places import mail_server, parts, receiver

pytestmark = [pytest.mark.once, pytest.mark.django_db]
LANGUAGES = ("en", "ko")
# Arms, outcomes, and figures that nothing else has. The arms are "control" and "nudge".
PLANTED = ("control", "nudge", "window:21-27", "window", "4000", "4,000")
# Words that say which way it went, as whole words. "raises its alarm" is of the alarm.
DIRECTIONS = {
    "en": r"\b(gains?|harms?|better|worse|increase[sd]?|decrease[sd]?|higher|lower|winner|wins?|loses?|significant)\b",
    "ko": r"(이득|해롭|해를|나아|나빠|증가|감소|높아|낮아|이겼|졌습|승자|유의)",
}
VERDICTS = [code.value for code in Code]
LINK = re.compile(r'https?://[^\s"<>)]+')
STYLE = re.compile(r"<[^>]*>|&#?\w+;", re.DOTALL)
FIXED: dict[str, Any] = dict(RUNNING)
LOOKS: dict[str, Any] = {**RUNNING, "planned_units": 200_000, "method": "group_sequential", "looks": (0.5, 1.0)}


def shut(readout: AnalysisResult, why: str, *, peeked: bool = False) -> AnalysisResult:
    """Everything of an open outcome, behind a lock."""
    state = State.OPEN if peeked else State.PENDING
    return replace(readout, maturity=replace(readout.maturity, state=state, why=why, peeked=peeked, final=False))


def full(**plan: Any) -> Opened:
    """An analysis that found something: verdict, effects, figures."""
    found = make_readout(**plan)
    assert isinstance(found, Opened)
    return found


LOCKED: dict[str, Callable[[], AnalysisResult]] = {
    "fixed, enrolling": lambda: shut(full(), "enrolling"),
    "fixed, maturing": lambda: shut(full(), "maturing"),
    "fixed, peeked at": lambda: shut(full(), "peek", peeked=True),
    "planned looks, before the first": lambda: shut(full(), "next_look"),
    "any time, too few": lambda: shut(full(), "too_few"),
    "as an analysis stores it": lambda: make_result(**FIXED),
    "planned looks, as stored": lambda: make_result(**LOOKS),
}
OPEN: dict[str, Callable[[], AnalysisResult]] = {
    "at its end": full,
    "at a look": lambda: full(method="group_sequential", looks=(0.5, 1.0)),
    "at any time": lambda: full(method="always_valid"),
}


def sent(settings: Any, readout: AnalysisResult) -> dict[str, list[str]]:
    """All that goes out when everything is told that can be, by language: notices of every kind, by mail and to a
    channel, and the digest by mail and behind a link."""
    configure(settings, private=True)
    analysis = stored("exp", readout, moment=True)
    Analysis.objects.filter(pk=analysis.pk).update(
        verdict="CAUSES" if isinstance(readout, Opened) else "", final=False, finished_at=timezone.now()
    )
    with mail_server(settings) as mails, receiver() as hook:
        for language in LANGUAGES:
            everything(language, language)
            kinds = [one.key for one in KINDS]
            address = hook.url.replace("hook", f"hook-{language}")
            NoticeChannel.objects.create(name="T", secret_address=address, language=language, kinds=kinds)
        for kind in KINDS:
            if kind.key not in ("verdict", "look_due", "part_unwell"):
                hear(kind.key, *_row_of(kind.key, analysis), "told")
        ToldState.objects.all().delete()  # what the analysis itself tells comes on top
        hear("analysed", "experiments.Analysis", str(analysis.pk), "done")
        due()
        while deliver_due()["sent"]:
            pass
        record = gather(timezone.localdate())
        for language in LANGUAGES:
            with translation.override(language):
                digest_letter(record, {}, f"{language}@example.org", stop="https://x/", page="https://x/").send()
        found: dict[str, list[str]] = {language: [] for language in LANGUAGES}
        for letter in mails.letters:
            language = str(letter["To"])[:2]
            found[language] += [str(letter["Subject"]), *parts(letter)]
        for path, body in zip(hook.asked, hook.bodies, strict=True):
            found["ko" if "hook-ko" in path else "en"].append(f"{body['title']} {body['message']}")
    for language in LANGUAGES:
        with translation.override(language):
            found[language].append(standalone(record))
    return found


def _row_of(kind: str, analysis: Analysis) -> tuple[str, str]:
    if kind == "share_falling":
        return "aha.AhaMoment", str(analysis.experiment.moment_id)
    if kind == "run_failed":
        return "experiments.Analysis", str(analysis.pk)
    return "experiments.Experiment", str(analysis.experiment_id)


def leaks(texts: list[str], language: str) -> list[str]:
    """What in these texts tells of an outcome."""
    found = []
    with translation.override(language):
        headings = [str(code_words(code)) for code in Code]
    for text in texts:
        bare = STYLE.sub(" ", LINK.sub(" ", text))
        found += [word for word in (*PLANTED, *VERDICTS, *headings) if word in bare]
        found += re.findall(DIRECTIONS[language], bare, re.IGNORECASE)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", LOCKED)
def test_locked__everything_that_is_sent__holds_nothing_that_was_planted(settings: Any, name: str) -> None:
    for language, texts in sent(settings, LOCKED[name]()).items():
        assert len(texts) > 40  # ten kinds and more: subject, text and page of a mail, a message, and the digest
        assert leaks(texts, language) == []
    assert not Notice.objects.filter(kind__in=("verdict", "look_due")).exists()
    assert set(Notice.objects.values_list("code", flat=True)) == {""}


@pytest.mark.slow
@pytest.mark.parametrize("name", OPEN)
def test_open__the_same_walk__sees_the_verdict(settings: Any, name: str) -> None:
    for language, texts in sent(settings, OPEN[name]()).items():
        with translation.override(language):
            assert str(code_words(Code.CAUSES)) in leaks(texts, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_locked__two_outcomes__the_same_notices_to_the_letter(settings: Any, language: str) -> None:
    told: list[list[Any]] = []
    row = stored("exp", two_worlds(is_open=False)[0], moment=True)
    configure(settings)
    everything("all", language)
    for world in two_worlds(is_open=False):
        keep(row, world)
        ToldState.objects.all().delete()
        Notice.objects.all().delete()
        hear("analysed", "experiments.Analysis", str(row.pk), "done")
        with translation.override(language):
            told.append([say_notice(n.kind, n.label, n.row, n.code) for n in Notice.objects.order_by("pk")])
            told.append([standalone(gather(timezone.localdate()))])

    assert told[0] == told[2]
    assert told[1] == told[3]
    one, other = (list(news_of(world, final=False, number=1)) for world in two_worlds(is_open=False))
    assert one == other


def test_open__two_outcomes__the_look_is_told_in_both_and_only_the_verdict_differs() -> None:
    news = [list(news_of(world, final=True, number=1)) for world in two_worlds(is_open=True)]

    same = [[one for one in world if one.kind != "verdict"] for world in news]
    assert same[0] == same[1]
    assert any(one.kind == "look_due" for one in same[0])
    assert [one for one in news[0] if one.kind == "verdict"] != [one for one in news[1] if one.kind == "verdict"]


@pytest.mark.parametrize("name", LOCKED)
def test_locked__news__are_of_the_data_alone(name: str) -> None:
    assert {one.kind for one in news_of(LOCKED[name](), final=False, number=1)} == {
        "sample_ratio",
        "guardrail",
        "run_failed",
    }


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_every_kind__says_a_name_and_no_number(kind: Any, language: str) -> None:
    analysis = stored("exp", make_result(**FIXED), moment=True)
    label, row = ("part", "worker") if kind.key == "part_unwell" else _row_of(kind.key, analysis)
    for code in kind.codes:
        with translation.override(language):
            said = say_notice(kind.key, label, row, code)
        if label == "part" and said is None:
            raise AssertionError("each part has words")
        assert said is not None
        bare = f"{said.title} {said.text}".replace("3 friends", "").replace(f"· {analysis.pk}", "")
        assert not re.search(r"\d", bare)
        assert kind.outcome or leaks([bare], language) == []
        assert "{" not in bare


def test_a_code_that_isnt_the_kinds__is_never_told() -> None:
    analysis = stored("exp", make_result(**FIXED), moment=True)

    with pytest.raises(ValueError, match="can't say"):
        _forged(analysis)
    assert say_notice("started", "experiments.Experiment", str(analysis.experiment_id), "CAUSES") is None
    assert OVER not in {code for kind in KINDS for code in kind.codes}


def _forged(analysis: Analysis) -> None:
    from insight_site.notify import dispatch
    from insight_site.notify.dispatch import News

    dispatch._note(News("started", "x", "CAUSES"), "experiments.Experiment", str(analysis.experiment_id))


def test_every_template__is_rendered_by_these_tests(settings: Any) -> None:
    """A new template of a mail must not stay out of the walk."""
    folder = settings.BASE_DIR / "templates" / "notices"
    mails = {path.name for path in folder.iterdir() if "mail" in path.name}

    assert mails == {"mail_frame.html", "mail.html", "mail.txt", "digest_mail.html", "digest_mail.txt"}
    assert render_to_string("notices/mail.txt", {"notices": [], "site": "", "stop": ""})


def test_digest__an_analysis_that_was_peeked_at_or_isnt_final__is_not_decided() -> None:
    analysis = stored("exp", make_readout(), moment=True)
    day = date(2026, 4, 1)

    def verdicts(**columns: Any) -> int:
        Analysis.objects.filter(pk=analysis.pk).update(**columns)
        return len(gather(day).decided)

    assert verdicts(verdict="CAUSES", final=True, peek=False) == 1
    assert verdicts(final=False) == 0
    assert verdicts(final=True, peek=True) == 0
    assert verdicts(peek=False, verdict="") == 0
    assert Digest.objects.count() == 0
    assert digest.deliver_due() == {"sent": 0, "failed": 0, "given_up": 0}
