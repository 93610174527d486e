"""Moments' lines for lists say the pair of shares that every page says: that of users who didn't choose the number.

Without any code of today, since what is stored there never changes. A row by itself; it may be run again.
"""

from django.db import migrations


def is_missing(value):
    return isinstance(value, dict) and value.keys() == {'reason', 'details'}


def estimate(value):
    return None if is_missing(value) else float(value['estimate'])


def evidence_line(evidence):
    honesty, rungs = evidence['honesty'], evidence['ladder']['rungs']
    judged = not is_missing(honesty['hold_out'])
    trained = judged and bool(evidence['by_step'])
    cell = honesty['train' if trained else 'hold_out'] if judged else evidence['cell']
    daily = rungs[4]['difference'] if len(rungs) > 4 else None
    left = rungs[3]['difference'] if daily is None or is_missing(daily) else daily
    return {
        'did': estimate(cell['ppv']), 'other': estimate(cell['retained_without']), 'left': estimate(left),
        'judged': judged, 'trained': trained, 'schema': 1,
    }


def fill(apps, schema_editor):
    moments = apps.get_model('aha', 'AhaMoment').objects
    for row in moments.exclude(evidence_hash='').only('pk', 'evidence').iterator(chunk_size=50):
        try:
            moments.filter(pk=row.pk).update(headline=evidence_line(row.evidence))
        except (LookupError, TypeError, ValueError, AttributeError):
            continue  # what can't be read keeps its line


class Migration(migrations.Migration):
    atomic = False

    dependencies = [('aha', '0007_study_origin')]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
