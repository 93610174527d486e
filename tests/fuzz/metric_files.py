"""The catalogue of metrics as a file of a stranger."""

from events.catalogue import yaml_file
from events.metrics.facts import reference
from runs.refusals import Refused

_WHOLE = """metrics:
- key: revenue
  name: {en: Revenue, ko: 매출}
  definition: sum:buy:price:0-6
  cap: 99.9%
  margin: 0.5
  tags: [money]
  status: certified
  certified: abc
"""
SEEDS = (_WHOLE.encode(), b"metrics: []", b'{"metrics": [{"key": "a", "name": "A", "definition": "on_day:7"}]}')
WORDS = ("metrics:", "key:", "name:", "&a", "*a", "!!python/object", "<<", "---", "status: deprecated", "1e999")


def catalogue(data: bytes) -> None:
    """A file of metrics: each mistake is one sentence, and what was read is written as the same."""
    found: list[yaml_file.Entry] = []
    mistakes: list[Refused] = []
    try:
        found = yaml_file.read(data, "metrics.yaml")
    except yaml_file.WrongFileError as wrong:
        mistakes = [*wrong.mistakes]
        if not mistakes:
            raise AssertionError("a file is refused without a reason") from wrong
    assert all(str(one) for one in mistakes)
    text = yaml_file.write(found)
    again = yaml_file.read(text.encode(), "metrics.yaml")
    assert [(one.key, one.about, one.facts, one.status) for one in again] == sorted(
        ((one.key, one.about, one.facts, one.status) for one in found), key=lambda one: one[0]
    )
    for one in found:
        assert reference(f"metric:{one.key}@3") == (one.key, 3)
