"""Reference of the glossary in both languages, from the words on the site's pages."""

from django.utils.translation import gettext, override

from insight_site.pages.glossary import sections
from insight_site.pages.method_pages import FOLDER, anchor, document
from tools.docs_site.reference.markdown import made_of

LEADS = {
    "en": ("Glossary", "Each word as the pages of Insight explain it, with the method behind it."),
    "ko": ("용어집", "Insight의 화면이 설명하는 그대로의 용어와, 그 바탕이 되는 방법입니다."),
}
METHOD = {"en": "Method", "ko": "방법"}
ORIGIN = {
    "en": made_of("the glossary of the site"),
    "ko": "*이 페이지는 문서를 빌드할 때마다 사이트의 용어집에서 만들어집니다.*\n",
}


def pages() -> dict[str, str]:
    """The glossary in English and in Korean."""
    return {f"reference/glossary{'' if language == 'en' else '.ko'}.md": _page(language) for language in LEADS}


def _page(language: str) -> str:
    title, lead = LEADS[language]
    parts = [f"# {title}\n", ORIGIN[language], f"{lead}\n"]
    with override(language):
        for section in sections():
            parts.append(f"## {section.title}\n")
            for term in section.terms:
                page = document(term.doc).relative_to(FOLDER).as_posix()
                link = f"[{term.heading.replace('`', '')}](../{page}#{anchor(term.heading)})"
                parts.append(
                    f"### {gettext(term.name)} {{ #{term.slug} }}\n\n{gettext(term.meaning)}\n\n{METHOD[language]}: {link}\n"
                )
    return "\n".join(parts)
