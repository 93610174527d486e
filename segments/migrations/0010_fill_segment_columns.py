"""What lists show of a segment becomes columns: for segments from before it is read out of their profile.

Without any code of today, since what is stored there never changes.
"""

from django.db import migrations


def columns(profile, retention):
    """Pattern and share that stayed, None where the profile has none."""
    name, found = profile.get('name'), profile.get('retained')
    stayed = None
    if isinstance(found, dict) and 'count' in found and retention:
        stayed = {'count': found['count'], 'n': found['n'], 'retention': retention}
    return name if isinstance(name, list) else None, stayed


def fill(apps, schema_editor):
    segments = apps.get_model('segments', 'Segment').objects.filter(pattern__isnull=True, stayed__isnull=True)
    for pk in list(segments.values_list('pk', flat=True)):  # one at a time: few rows, of kilobytes each
        profile, inputs = segments.values_list('profile', 'version__inputs').get(pk=pk)
        if isinstance(profile, dict) and isinstance(inputs, dict):
            pattern, stayed = columns(profile, inputs.get('retention'))
            segments.filter(pk=pk).update(pattern=pattern, stayed=stayed)


class Migration(migrations.Migration):
    atomic = False  # each row by itself: the site may go on while it runs, and it may be run again

    dependencies = [('segments', '0009_segment_columns')]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
