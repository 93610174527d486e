"""Tools that explain: words of the glossary, rules of verdicts, and the documentation."""

from experiments.analyse.codes import Code, code_words
from experiments.report.verdict import reasons_in_words
from insight_site.glossary.entries import sections
from insight_site.glossary.find_terms import matching
from insight_site.mcp import docs_search
from insight_site.mcp.agent_caller import ToolRefusal
from insight_site.mcp.tool_record import AgentTool, Json, ToolCall, text, whole

MOST_TERMS = 10


def explain(asked: ToolCall) -> Json:
    """What a word means, or when a verdict is given."""
    said = str(asked["about"]).strip()
    terms = [term for section in matching(sections(), said) for term in section.terms]
    exact = [term for term in terms if said.casefold() in (term.slug, term.name.casefold())]
    verdicts = [code for code in Code if said.upper().replace(" ", "_") == code.value]
    return {
        "terms": [
            {"name": term.name, "meaning": term.meaning, "page": f"{term.doc}.md", "section": term.heading}
            for term in (exact or terms)[:MOST_TERMS]
        ],
        "verdicts": [
            {"code": code.value, "heading": code_words(code), "reasons": reasons_in_words(code)} for code in verdicts
        ],
    }


def search_docs(asked: ToolCall) -> Json:
    """Sections of the documentation, the best first."""
    return {"results": docs_search.search(str(asked["query"]), most=asked["most"] or 8)}


def read_doc(asked: ToolCall) -> Json:
    """One page of the documentation."""
    name = str(asked["page"])
    found = docs_search.page(name)
    if found is None:
        raise ToolRefusal("not_found", "There is no such page: search_docs says which there are.")
    return {"page": name, "markdown": found}


TOOLS = (
    AgentTool(
        "explain",
        "Explain a word or a verdict",
        "A word of the glossary (for example take-up, hold-out, breakdown), or the rules of a verdict (for example "
        "NUDGE_FAILED). explain_result explains the result of one experiment.",
        explain,
        {"about": text("the word, or the code of the verdict", 100)},
        ("about",),
    ),
    AgentTool(
        "search_docs",
        "Search the documentation",
        "Sections of Insight's documentation that hold the words, the best first.",
        search_docs,
        {"query": text("words", 200), "most": {**whole("so many at most; 8 unless given", 1), "maximum": 20}},
        ("query",),
    ),
    AgentTool(
        "read_doc",
        "Read a page of the documentation",
        "One page as Markdown; search_docs gives the names.",
        read_doc,
        {"page": text("for example methods/discovery.md", 100)},
        ("page",),
    ),
)
