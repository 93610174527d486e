from aha.study import studies


def run_study(pk: int) -> None:
    studies.run_study(pk)
