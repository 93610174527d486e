"""What lists show becomes a column: for rows from before it is read out of their results.

Without any code of today, since what is stored there never changes. In batches, each a transaction of its own.
"""

from django.db import migrations

BATCH = 50  # a result is half a megabyte
DOUBTS = {'activity_only', 'no_better_than_everybody', 'as_strong_as_inert'}


def is_missing(value):
    return isinstance(value, dict) and value.keys() == {'reason', 'details'}


def headline(payload):
    found = {'outcome': 'found', 'reason': None, 'worth': 0, 'schema': 1}
    if payload['floor'] is not None:
        return {**found, 'outcome': 'too_small', 'reason': payload['floor']}
    if is_missing(payload['luck']):
        return {**found, 'outcome': 'untested', 'reason': payload['luck']}
    if not any(row['step'] is not None and not is_missing(row['chosen']) for row in payload['judged']):
        return {**found, 'outcome': 'untested', 'reason': {'reason': 'no_behaviour_to_test', 'details': {}}}
    if not payload['candidates']:
        return {**found, 'outcome': 'nothing'}
    return {**found, 'worth': sum(not DOUBTS & set(row['flags']) for row in payload['candidates'])}


def evidence_line(evidence):
    def estimate(value):
        return None if is_missing(value) else float(value['estimate'])

    cell = evidence['cell']
    return {
        'did': estimate(cell['ppv']), 'other': estimate(cell['retained_without']),
        'left': estimate(evidence['ladder']['rungs'][3]['difference']), 'schema': 1,
    }


def fill(model, heavy, line):
    last = 0
    waiting = model.objects.filter(headline__isnull=True, **{f'{heavy}__isnull': False}).order_by('pk')
    while rows := list(waiting.filter(pk__gt=last).only('pk', heavy)[:BATCH]):
        last = rows[-1].pk
        for row in rows:
            try:
                model.objects.filter(pk=row.pk).update(headline=line(getattr(row, heavy)))
            except (LookupError, TypeError, ValueError, AttributeError):
                continue  # what can't be read has no line; its own page says so


def fill_all(apps, schema_editor):
    fill(apps.get_model('aha', 'Study'), 'payload', headline)
    fill(apps.get_model('aha', 'AhaMoment'), 'evidence', evidence_line)


class Migration(migrations.Migration):
    atomic = False  # each row by itself: the site may go on while it runs, and it may be run again

    dependencies = [('aha', '0002_headlines')]
    operations = [migrations.RunPython(fill_all, migrations.RunPython.noop, elidable=True)]
