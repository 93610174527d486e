"""From version 0.3 to 0.4.

What lists show of a segment, and of a version's drift, becomes columns: for rows from before it is read out of their
results, without any code of today, since what is stored there never changes.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


ORDER = ('refit', 'watch', 'stable')


def drift_code(drift):
    found = [drift['shares'], *drift['features'].values()]
    known = [row['code'] for row in found if 'code' in row]
    return min(known, key=ORDER.index) if known else found[0]['reason']


def fill_drift_codes(apps, schema_editor):
    versions = apps.get_model('segments', 'SegmentVersion').objects.filter(drift__isnull=False, drift_code='')
    for pk in list(versions.values_list('pk', flat=True)):  # one at a time: few rows, of kilobytes each
        try:
            found = str(drift_code(versions.values_list('drift', flat=True).get(pk=pk)))[:40]
        except (LookupError, TypeError, ValueError, AttributeError):
            continue  # what can't be read is "not measured"; its own page says why
        versions.filter(pk=pk).update(drift_code=found)


def columns(profile, retention):
    """Pattern and share that stayed, None where the profile has none."""
    name, found = profile.get('name'), profile.get('retained')
    stayed = None
    if isinstance(found, dict) and 'count' in found and retention:
        stayed = {'count': found['count'], 'n': found['n'], 'retention': retention}
    return name if isinstance(name, list) else None, stayed


def fill_segments(apps, schema_editor):
    segments = apps.get_model('segments', 'Segment').objects.filter(pattern__isnull=True, stayed__isnull=True)
    for pk in list(segments.values_list('pk', flat=True)):  # one at a time: few rows, of kilobytes each
        profile, inputs = segments.values_list('profile', 'version__inputs').get(pk=pk)
        if isinstance(profile, dict) and isinstance(inputs, dict):
            pattern, stayed = columns(profile, inputs.get('retention'))
            segments.filter(pk=pk).update(pattern=pattern, stayed=stayed)
    schema_editor.connection.check_constraints()  # PostgreSQL alters no table of which a check is still to come


class Migration(migrations.Migration):

    replaces = [
        ('segments', '0005_shape_planner'),
        ('segments', '0006_drift_code'),
        ('segments', '0007_fill_drift_code'),
        ('segments', '0008_refusal'),
        ('segments', '0009_segment_columns'),
        ('segments', '0010_fill_segment_columns'),
        ('segments', '0011_early_parts'),
        ('segments', '0012_erased_units'),
        ('segments', '0013_upkeep'),
        ('segments', '0001_squashed_0007_fill_drift_code'),
    ]

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('events', '0002_version_0_4'),
        ('segments', '0001_version_0_3'),
    ]

    operations = [
        migrations.AddField(
            model_name='segmentversion',
            name='shape',
            field=models.CharField(blank=True, choices=[('groups', 'groups'), ('styles', 'styles of a continuum (corners, not groups)')], default='', max_length=10, verbose_name='shape'),
        ),
        migrations.AddField(
            model_name='segmentversion',
            name='drift_code',
            field=models.CharField(db_default='', default='', editable=False, max_length=40),
        ),
        migrations.AddField(
            model_name='churnrun',
            name='refusal',
            field=models.JSONField(blank=True, default=dict, editable=False),
        ),
        migrations.AddField(
            model_name='comparisonrun',
            name='refusal',
            field=models.JSONField(blank=True, default=dict, editable=False),
        ),
        migrations.AddField(
            model_name='segmentationrun',
            name='refusal',
            field=models.JSONField(blank=True, default=dict, editable=False),
        ),
        migrations.AddField(
            model_name='segment',
            name='pattern',
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='segment',
            name='stayed',
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='churnrun',
            name='early',
            field=models.JSONField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='comparisonrun',
            name='early',
            field=models.JSONField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='segmentationrun',
            name='early',
            field=models.JSONField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='churnrun',
            name='erased_units',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False, verbose_name='units erased since'),
        ),
        migrations.AddField(
            model_name='comparisonrun',
            name='erased_units',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False, verbose_name='units erased since'),
        ),
        migrations.AddField(
            model_name='segmentationrun',
            name='erased_units',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False, verbose_name='units erased since'),
        ),
        migrations.AddField(
            model_name='historicalsegmentmodel',
            name='archived_at',
            field=models.DateTimeField(editable=False, null=True, verbose_name='archived'),
        ),
        migrations.AddField(
            model_name='historicalsegmentmodel',
            name='owner',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='owner'),
        ),
        migrations.AddField(
            model_name='segmentmodel',
            name='archived_at',
            field=models.DateTimeField(editable=False, null=True, verbose_name='archived'),
        ),
        migrations.AddField(
            model_name='segmentmodel',
            name='owner',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='owner'),
        ),
        migrations.AddField(
            model_name='segmentmodel',
            name='tags',
            field=models.ManyToManyField(blank=True, editable=False, related_name='+', to='events.tag', verbose_name='tags'),
        ),
        migrations.RunPython(fill_drift_codes, migrations.RunPython.noop),
        migrations.RunPython(fill_segments, migrations.RunPython.noop),
    ]
