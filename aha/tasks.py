from aha.explore import answering
from aha.moments import reach
from aha.study import studies


def run_study(pk: int) -> None:
    studies.run_study(pk, watched=True)


def count_reach(pk: int) -> None:
    reach.count(pk)


def count_all_reaches() -> None:
    reach.count_all()


def prepare_explore() -> None:
    answering.prepare()
