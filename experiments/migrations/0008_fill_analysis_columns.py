"""What lists and overviews show becomes columns: for analyses from before it is read out of their results.

Without any code of today, since what is stored there never changes. In batches, each row by itself.
"""

from django.db import migrations

BATCH = 50  # a result has a hundred kilobytes


def fill(apps, schema_editor):
    analyses = apps.get_model('experiments', 'Analysis').objects
    waiting = analyses.filter(status='done', exposed__isnull=True, payload__isnull=False).order_by('pk')
    last = 0
    while rows := list(waiting.filter(pk__gt=last).only('pk', 'payload')[:BATCH]):
        last = rows[-1].pk
        for row in rows:
            try:
                standing, checks = row.payload['standing'], list(row.payload['health'])
                columns = {'fraction': float(standing['fraction']), 'exposed': dict(standing['exposed'])}
            except (LookupError, TypeError, ValueError):
                continue  # what can't be read has no columns; its own page says so
            analyses.filter(pk=row.pk).update(checks=checks, **columns)


class Migration(migrations.Migration):
    atomic = False  # each row by itself: the site may go on while it runs, and it may be run again

    dependencies = [('experiments', '0007_analysis_columns')]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
