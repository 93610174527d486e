"""The immortal-time trap on public data: patients who waited for a heart at Stanford (Crowley, Hu 1977).

The data come with lifelines, which this project doesn't need; they are in no file of it. In an environment of its own:

    python3 -m venv /tmp/immortal && /tmp/immortal/bin/pip install lifelines
    /tmp/immortal/bin/python benchmarks/causes/immortal_time.py

Who lives long can be transplanted, so that "ever transplanted" seems to save lives. Counted as treated from the day of
the transplant on, the effect is gone. Last comes what our daily trials do with the same data: every day is a trial of
who is transplanted on that day against who isn't yet, held equal with what was known before, pooled over the days.
"""

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter, CoxTimeVaryingFitter
from lifelines.datasets import load_stanford_heart_transplants

KNOWN = ["age", "year", "surgery"]
COLUMNS = ["transplant", *KNOWN]


def main() -> None:
    spells = load_stanford_heart_transplants()
    last = spells.sort_values("stop").groupby("id").last()
    patients = last.assign(transplant=spells.groupby("id").transplant.max())
    ever = CoxPHFitter().fit(patients[["stop", "event", *COLUMNS]], "stop", "event")
    print(said("ever transplanted", ever, len(patients)))
    dated = CoxTimeVaryingFitter().fit(spells, id_col="id", event_col="event", start_col="start", stop_col="stop")
    print(said("transplanted from that day on", dated, len(patients)))
    trials = daily(spells, last)
    pooled = CoxPHFitter().fit(trials, "left", "event", cluster_col="id", robust=True)
    print(said(f"daily trials ({trials['id'].size} patients and days)", pooled, trials["id"].nunique()))


def said(name: str, model: CoxPHFitter | CoxTimeVaryingFitter, n: int) -> str:
    row = model.summary.loc["transplant"]
    low, high = row["exp(coef) lower 95%"], row["exp(coef) upper 95%"]
    return f"{name}: hazard ratio {row['exp(coef)']:.2f} ({low:.2f} to {high:.2f}), p {row['p']:.2g}, {n} patients"


def daily(spells: pd.DataFrame, last: pd.DataFrame) -> pd.DataFrame:
    """One row for each patient and day of a transplant on which the patient was alive and still waiting.

    Those who aren't transplanted yet are followed to their own transplant, at which they are censored: they keep to
    their arm of the trial of that day.
    """
    waits = spells[spells.transplant == 0].set_index("id").stop
    begun = spells[spells.transplant == 1].set_index("id").start
    rows = []
    for day in np.unique(begun):
        for patient, end in last.stop.items():
            until = begun.get(patient, np.inf)
            if end <= day or until < day or waits.get(patient, 0.0) < day:
                continue
            treated = until == day
            stops = end if treated else min(end, until)
            dies = bool(last.event[patient]) and stops == end
            known = {name: last[name][patient] for name in KNOWN}
            rows.append({"id": patient, "left": stops - day, "event": dies, "transplant": treated, "day": day, **known})
    return pd.DataFrame(rows).astype({"event": int, "transplant": int})


if __name__ == "__main__":
    main()
