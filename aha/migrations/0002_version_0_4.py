"""From version 0.3 to 0.4.

What lists show becomes columns: for rows from before it is read out of their results, without any code of today, since
what is stored there never changes.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


BATCH = 50  # a result is half a megabyte
DOUBTS = {'activity_only', 'no_better_than_everybody', 'as_strong_as_inert'}


def is_missing(value):
    return isinstance(value, dict) and value.keys() == {'reason', 'details'}


def estimate(value):
    return None if is_missing(value) else float(value['estimate'])


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


def fill_headlines(apps, schema_editor):
    fill(apps.get_model('aha', 'Study'), 'payload', headline)
    fill(apps.get_model('aha', 'AhaMoment'), 'evidence', evidence_line)


def one_pair(evidence):
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


def fill_pairs(apps, schema_editor):
    moments = apps.get_model('aha', 'AhaMoment').objects
    for row in moments.exclude(evidence_hash='').only('pk', 'evidence').iterator(chunk_size=50):
        try:
            moments.filter(pk=row.pk).update(headline=one_pair(row.evidence))
        except (LookupError, TypeError, ValueError, AttributeError):
            continue  # what can't be read keeps its line
    schema_editor.connection.check_constraints()  # PostgreSQL alters no table of which a check is still to come


class Migration(migrations.Migration):

    replaces = [
        ('aha', '0002_headlines'),
        ('aha', '0003_fill_headlines'),
        ('aha', '0004_refusal'),
        ('aha', '0005_findings'),
        ('aha', '0006_kept_reach'),
        ('aha', '0007_study_origin'),
        ('aha', '0008_one_pair'),
        ('aha', '0009_early_parts'),
        ('aha', '0010_erased_units'),
        ('aha', '0011_upkeep'),
        ('aha', '0012_retention_metric'),
        ('aha', '0001_squashed_0003_fill_headlines'),
    ]

    dependencies = [
        ('aha', '0001_version_0_3'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('events', '0002_version_0_4'),
    ]

    operations = [
        migrations.AddField(
            model_name='ahamoment',
            name='headline',
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='historicalahamoment',
            name='headline',
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='study',
            name='headline',
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='study',
            name='refusal',
            field=models.JSONField(blank=True, default=dict, editable=False),
        ),
        migrations.CreateModel(
            name='Finding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200, verbose_name='name')),
                ('origin', models.CharField(choices=[('experiment', 'experiment of this site'), ('file', 'file of a finished experiment')], max_length=10, verbose_name='where it comes from')),
                ('source', models.CharField(max_length=200, verbose_name='experiment')),
                ('analysis', models.CharField(blank=True, max_length=40, verbose_name='analysis')),
                ('variant', models.CharField(max_length=128, verbose_name='variant')),
                ('comparator', models.CharField(max_length=128, verbose_name='compared with')),
                ('placebo', models.BooleanField(default=False, verbose_name='compared with a placebo')),
                ('place', models.PositiveSmallIntegerField(default=1, verbose_name='place of the variant among those that nudge')),
                ('behaviour', models.CharField(max_length=400, verbose_name='behaviour')),
                ('times', models.PositiveIntegerField(verbose_name='times')),
                ('days', models.PositiveSmallIntegerField(verbose_name='within days')),
                ('outcome', models.CharField(max_length=400, verbose_name='outcome')),
                ('kind', models.CharField(max_length=10, verbose_name='kind of outcome')),
                ('itt', models.FloatField(verbose_name='effect of the nudge on the outcome')),
                ('first_stage', models.FloatField(verbose_name='effect of the nudge on the behaviour')),
                ('v_r', models.FloatField(verbose_name='variance of the effect on the outcome')),
                ('v_d', models.FloatField(verbose_name='variance of the effect on the behaviour')),
                ('c_rd', models.FloatField(verbose_name='covariance of both effects')),
                ('n_control', models.PositiveIntegerField(verbose_name='units compared with')),
                ('n_variant', models.PositiveIntegerField(verbose_name='units of the variant')),
                ('degrees_of_freedom', models.FloatField(blank=True, null=True, verbose_name='degrees of freedom, where clusters were assigned')),
                ('control_v_r', models.FloatField(blank=True, null=True, verbose_name="variance of control's mean outcome")),
                ('control_v_d', models.FloatField(blank=True, null=True, verbose_name="variance of control's take-up")),
                ('control_c_rd', models.FloatField(blank=True, null=True, verbose_name='covariance of both in control')),
                ('reach', models.FloatField(blank=True, null=True, verbose_name='share that reaches it without the nudge')),
                ('promised', models.FloatField(blank=True, null=True, verbose_name='promised')),
                ('promised_error', models.FloatField(blank=True, null=True, verbose_name='standard error of the promise')),
                ('verdict', models.CharField(max_length=24, verbose_name='verdict')),
                ('caution', models.CharField(blank=True, max_length=12, verbose_name='what its looks did to the effect')),
                ('started', models.DateField(verbose_name='first day')),
                ('ended', models.DateField(verbose_name='last day')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by')),
            ],
            options={
                'verbose_name': 'finding of an experiment',
                'verbose_name_plural': 'findings of experiments',
                'ordering': ['started', 'pk'],
                'constraints': [models.UniqueConstraint(fields=('origin', 'source', 'variant'), name='one_finding_per_arm')],
            },
        ),
        migrations.CreateModel(
            name='KeptReach',
            fields=[
                ('moment', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='kept_reach', serialize=False, to='aha.ahamoment')),
                ('weeks', models.JSONField(null=True)),
                ('refusal', models.JSONField(null=True)),
                ('counted_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name='study',
            name='changed_from',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='changed_into', to='aha.study', verbose_name='changed from'),
        ),
        migrations.AddField(
            model_name='study',
            name='early',
            field=models.JSONField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='study',
            name='erased_units',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False, verbose_name='units erased since'),
        ),
        migrations.AddField(
            model_name='ahamoment',
            name='archived_at',
            field=models.DateTimeField(editable=False, null=True, verbose_name='archived'),
        ),
        migrations.AddField(
            model_name='ahamoment',
            name='owner',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='owner'),
        ),
        migrations.AddField(
            model_name='ahamoment',
            name='tags',
            field=models.ManyToManyField(blank=True, editable=False, related_name='+', to='events.tag', verbose_name='tags'),
        ),
        migrations.AddField(
            model_name='historicalahamoment',
            name='archived_at',
            field=models.DateTimeField(editable=False, null=True, verbose_name='archived'),
        ),
        migrations.AddField(
            model_name='historicalahamoment',
            name='owner',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='owner'),
        ),
        migrations.AddField(
            model_name='study',
            name='archived_at',
            field=models.DateTimeField(editable=False, null=True, verbose_name='archived'),
        ),
        migrations.AddField(
            model_name='study',
            name='owner',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='owner'),
        ),
        migrations.AddField(
            model_name='study',
            name='tags',
            field=models.ManyToManyField(blank=True, editable=False, related_name='+', to='events.tag', verbose_name='tags'),
        ),
        migrations.AddField(
            model_name='study',
            name='retention_metric',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='studies', to='events.metricversion', verbose_name='metric of the catalogue'),
        ),
        migrations.RunPython(fill_headlines, migrations.RunPython.noop),
        migrations.RunPython(fill_pairs, migrations.RunPython.noop),
    ]
