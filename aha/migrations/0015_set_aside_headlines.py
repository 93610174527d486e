"""A study whose behaviours beat luck but were set aside says so in lists, too, where it said that nothing was found.

Without any code of today, since what is stored there never changes. In batches, each a transaction of its own.
"""

from django.db import migrations

BATCH = 50  # a result is half a megabyte
ALPHA = 0.05
AT_ALL, LATER = {'goal_like', 'forced'}, 'not_available'


def headline(payload):
    """The new line, or None where the old one holds."""
    grid, names = payload['grid'], payload['asked']['behaviours']
    cells = zip(grid['behaviour'], grid['p_luck'], grid['z_luck'], strict=True)
    beat = {names[n] for n, p, z in cells if p is not None and p <= ALPHA and z is not None and z > 0}
    flags = {(row['behaviour'], row['flag']) for row in payload['flags']}
    others = {name for name, flag in flags if flag in AT_ALL}
    out = others | {name for name, flag in flags if flag == 'inert'}
    later = {name for name, flag in flags if flag == LATER} - out
    aside = beat & later or beat & others
    if payload['candidates'] or not aside:
        return None
    first = payload['population']['first_signup'] if beat & later else None
    return {
        'outcome': 'set_aside', 'reason': None, 'worth': 0, 'aside': len(aside), 'beat': True,
        'later': bool(beat & later), 'since': None, 'first': first, 'schema': 1,
    }  # fmt: skip


def tell(apps, schema_editor):
    studies = apps.get_model('aha', 'Study').objects
    told = {'headline__outcome__in': ('nothing', 'untested'), 'payload__isnull': False}
    last = 0
    while rows := list(studies.filter(pk__gt=last, **told).order_by('pk').only('pk', 'payload')[:BATCH]):
        last = rows[-1].pk
        for row in rows:
            try:
                found = headline(row.payload)
            except (LookupError, TypeError, ValueError, AttributeError):
                continue  # what can't be read keeps its line; its own page says why
            if found:
                studies.filter(pk=row.pk).update(headline=found)


class Migration(migrations.Migration):
    atomic = False  # each row by itself: the site may go on while it runs, and it may be run again

    dependencies = [('aha', '0014_findings_of_whole_clusters')]
    operations = [migrations.RunPython(tell, migrations.RunPython.noop, elidable=True)]
