"""What lists show of a version's drift becomes a column: for versions from before it is read out of their drift.

Without any code of today, since what is stored there never changes.
"""

from django.db import migrations

ORDER = ('refit', 'watch', 'stable')


def code(drift):
    found = [drift['shares'], *drift['features'].values()]
    known = [row['code'] for row in found if 'code' in row]
    return min(known, key=ORDER.index) if known else found[0]['reason']


def fill(apps, schema_editor):
    versions = apps.get_model('segments', 'SegmentVersion').objects.filter(drift__isnull=False, drift_code='')
    for pk in list(versions.values_list('pk', flat=True)):  # one at a time: few rows, of kilobytes each
        try:
            found = str(code(versions.values_list('drift', flat=True).get(pk=pk)))[:40]
        except (LookupError, TypeError, ValueError, AttributeError):
            continue  # what can't be read is "not measured"; its own page says why
        versions.filter(pk=pk).update(drift_code=found)


class Migration(migrations.Migration):
    atomic = False  # each row by itself: the site may go on while it runs, and it may be run again

    dependencies = [('segments', '0006_drift_code')]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
