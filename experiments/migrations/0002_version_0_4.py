"""From version 0.3 to 0.4.

What lists show of an analysis becomes columns: for analyses from before it is read out of their results, without any code
of today, since what is stored there never changes. In batches.
"""

from typing import Any

import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.apps.registry import Apps
from django.db import migrations, models


def keep_what_counts(apps: Apps, schema_editor: Any) -> None:
    """Experiments that have started go on hearing every source, as 0.3 did, so that their numbers stay theirs.

    The history gets the same, or the plan would look changed without an amendment.
    """
    Source: Any = apps.get_model("events", "Source")
    sources = list(Source.objects.order_by("pk").values_list("pk", flat=True))
    for name in ("Experiment", "HistoricalExperiment"):
        rows: Any = apps.get_model("experiments", name)
        rows.objects.filter(started_at__isnull=False).update(sources=sources)


BATCH = 50  # a result has a hundred kilobytes


def fill_columns(apps, schema_editor):
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


def number(value):
    return value if isinstance(value, int | float) else None


def limits(value):
    """Estimate and limits of a stored estimate; None of one that could not be computed."""
    if not isinstance(value, dict) or number(value.get('estimate')) is None:
        return None
    return {name: number(value.get(name)) for name in ('estimate', 'low', 'high')}


def figures(payload):
    report = payload['report']
    first = report['outcomes'][0]
    row = next(one for one in first['comparisons'] if one['variant'] == report['leading'])
    corrected = next((one for one in payload.get('corrected') or () if one['variant'] == row['variant']), None)
    found = row.get('encouragement')
    nudge, behaviour, moved = limits(row['difference']), None, None
    if corrected is not None and isinstance(corrected['difference'], dict) and corrected['difference'].get('looks', 1) > 1:
        nudge = limits(corrected['difference']) or nudge
    else:
        corrected = None
    if found is not None:
        effect, around = limits(found['effect']), found['effect_set']
        if effect is not None:
            estimate = effect['estimate'] if corrected is None else number(corrected['effect']) or effect['estimate']
            bounded = around.get('shape') == 'interval'
            behaviour = {
                'estimate': estimate,
                'low': around['low'] if bounded else None,
                'high': around['high'] if bounded else None,
            }
        if number(found['take_up'].get('difference')) is not None:
            moved = {name: found['take_up'][name] for name in ('control', 'variant', 'difference', 'low', 'high')}
    comparator = (found or {}).get('comparator') if row.get('against_control') is not None else ''
    return {
        'outcome': payload['plan']['primary'][0],
        'share': first['kind'] == 'proportion',
        'control': comparator or report['design']['control'],
        'variant': row['variant'],
        'levels': {
            label: {'n': value['n'], 'mean': number(value['mean'])} for label, value in first['values'].items()
        },
        'nudge': nudge,
        'behaviour': behaviour,
        'take_up': moved,
    }


def fill_figures(apps, schema_editor):
    analyses = apps.get_model('experiments', 'Analysis').objects
    waiting = analyses.filter(status='done', figures__isnull=True, payload__isnull=False).order_by('pk')
    last = 0
    while rows := list(waiting.filter(pk__gt=last).only('pk', 'payload')[:BATCH]):
        last = rows[-1].pk
        for row in rows:
            if not row.payload.get('report'):
                continue  # its outcome was locked
            try:
                found = figures(row.payload)
            except (AttributeError, LookupError, StopIteration, TypeError):
                continue  # what can't be read has no column; its own page says so
            analyses.filter(pk=row.pk).update(figures=found)
    schema_editor.connection.check_constraints()  # PostgreSQL alters no table of which a check is still to come


class Migration(migrations.Migration):

    replaces = [
        ('experiments', '0006_admission'),
        ('experiments', '0007_analysis_columns'),
        ('experiments', '0008_fill_analysis_columns'),
        ('experiments', '0009_refusal'),
        ('experiments', '0010_primary_and_prediction'),
        ('experiments', '0011_guardrail_rules_and_decision'),
        ('experiments', '0012_clusters_and_saturations'),
        ('experiments', '0013_planned_effect'),
        ('experiments', '0014_experiment_page'),
        ('experiments', '0015_plan_comments'),
        ('experiments', '0016_early_parts'),
        ('experiments', '0017_certificates'),
        ('experiments', '0018_erased_units'),
        ('experiments', '0019_rollouts'),
        ('experiments', '0020_holdout_reports'),
        ('experiments', '0021_review_and_plan_templates'),
        ('experiments', '0023_upkeep'),
        ('experiments', '0024_chosen_metrics'),
        ('experiments', '0025_identity'),
        ('experiments', '0026_proofs'),
        ('experiments', '0027_drafted_by_agent'),
        ('experiments', '0001_squashed_0008_fill_analysis_columns'),
    ]

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('events', '0002_version_0_4'),
        ('experiments', '0001_version_0_3'),
    ]

    operations = [
        migrations.AddField(
            model_name='experiment',
            name='sources',
            field=models.JSONField(blank=True, default=list, verbose_name='sources whose client keys report exposures'),
        ),
        migrations.AddField(
            model_name='historicalexperiment',
            name='sources',
            field=models.JSONField(blank=True, default=list, verbose_name='sources whose client keys report exposures'),
        ),
        migrations.AddField(
            model_name='analysis',
            name='checks',
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='analysis',
            name='exposed',
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='analysis',
            name='fraction',
            field=models.FloatField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='analysis',
            name='refusal',
            field=models.JSONField(blank=True, default=dict, editable=False),
        ),
        migrations.AddField(
            model_name='experiment',
            name='active_days_before',
            field=models.PositiveSmallIntegerField(default=0, verbose_name='active days before the exposure as a covariate: within so many days'),
        ),
        migrations.AddField(
            model_name='experiment',
            name='primary',
            field=models.CharField(choices=[('unadjusted', 'without covariates'), ('lin', 'adjusted for the covariates (Lin)'), ('lin_predicted', 'adjusted for the outcome that the covariates predict (Lin)')], default='unadjusted', max_length=16, verbose_name='comparison that decides'),
        ),
        migrations.AddField(
            model_name='historicalexperiment',
            name='active_days_before',
            field=models.PositiveSmallIntegerField(default=0, verbose_name='active days before the exposure as a covariate: within so many days'),
        ),
        migrations.AddField(
            model_name='historicalexperiment',
            name='primary',
            field=models.CharField(choices=[('unadjusted', 'without covariates'), ('lin', 'adjusted for the covariates (Lin)'), ('lin_predicted', 'adjusted for the outcome that the covariates predict (Lin)')], default='unadjusted', max_length=16, verbose_name='comparison that decides'),
        ),
        migrations.CreateModel(
            name='Prediction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('made_at', models.DateTimeField(auto_now_add=True, verbose_name='made')),
                ('predictor', models.JSONField(verbose_name='coefficients, with what they are worth')),
                ('experiment', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='prediction', to='experiments.experiment')),
            ],
            options={
                'verbose_name': 'prediction',
                'verbose_name_plural': 'predictions',
            },
        ),
        migrations.AddField(
            model_name='experiment',
            name='guardrail_rules',
            field=models.JSONField(blank=True, default=dict, verbose_name='rules of guardrails'),
        ),
        migrations.AddField(
            model_name='experiment',
            name='otherwise',
            field=models.CharField(choices=[('ship', 'ship it all the same'), ('dont', "don't ship it"), ('ask', 'people decide')], default='ask', max_length=4, verbose_name='if neither success nor harm is proved'),
        ),
        migrations.AddField(
            model_name='historicalexperiment',
            name='guardrail_rules',
            field=models.JSONField(blank=True, default=dict, verbose_name='rules of guardrails'),
        ),
        migrations.AddField(
            model_name='historicalexperiment',
            name='otherwise',
            field=models.CharField(choices=[('ship', 'ship it all the same'), ('dont', "don't ship it"), ('ask', 'people decide')], default='ask', max_length=4, verbose_name='if neither success nor harm is proved'),
        ),
        migrations.AddField(
            model_name='assignment',
            name='cluster',
            field=models.CharField(max_length=256, null=True, verbose_name='cluster'),
        ),
        migrations.AddField(
            model_name='experiment',
            name='cluster',
            field=models.CharField(blank=True, db_default='', default='', max_length=64, verbose_name='attribute whose clusters are drawn'),
        ),
        migrations.AddField(
            model_name='experiment',
            name='saturations',
            field=models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list, verbose_name='saturations: share nudged and weight, in steps of 0.01 %'),
        ),
        migrations.AddField(
            model_name='historicalexperiment',
            name='cluster',
            field=models.CharField(blank=True, db_default='', default='', max_length=64, verbose_name='attribute whose clusters are drawn'),
        ),
        migrations.AddField(
            model_name='historicalexperiment',
            name='saturations',
            field=models.JSONField(blank=True, db_default=models.Value([], models.JSONField()), default=list, verbose_name='saturations: share nudged and weight, in steps of 0.01 %'),
        ),
        migrations.AddField(
            model_name='experiment',
            name='planned_effect',
            field=models.FloatField(blank=True, null=True, verbose_name='planned effect'),
        ),
        migrations.AddField(
            model_name='historicalexperiment',
            name='planned_effect',
            field=models.FloatField(blank=True, null=True, verbose_name='planned effect'),
        ),
        migrations.AddField(
            model_name='analysis',
            name='figures',
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.CreateModel(
            name='PlanComment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('section', models.CharField(max_length=20, verbose_name='section')),
                ('text', models.TextField(max_length=2000, verbose_name='comment')),
                ('at', models.DateTimeField(auto_now_add=True, verbose_name='when')),
                ('resolved_at', models.DateTimeField(null=True, verbose_name='resolved')),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='who')),
                ('experiment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='comments', to='experiments.experiment')),
                ('resolved_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='resolved by')),
            ],
            options={
                'verbose_name': 'comment on a plan',
                'verbose_name_plural': 'comments on a plan',
                'ordering': ['at', 'id'],
            },
        ),
        migrations.AddField(
            model_name='analysis',
            name='early',
            field=models.JSONField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='webhookendpoint',
            name='certificate_until',
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='certificate ends'),
        ),
        migrations.AddField(
            model_name='analysis',
            name='erased_units',
            field=models.PositiveIntegerField(db_default=0, default=0, editable=False, verbose_name='units erased since'),
        ),
        migrations.CreateModel(
            name='RolloutMove',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(verbose_name='when')),
                ('key_prefix', models.CharField(blank=True, max_length=16, verbose_name='key')),
                ('kind', models.CharField(choices=[('ship', 'shipped'), ('change', 'steps changed'), ('step', 'step reached'), ('hold', 'paused'), ('go_on', 'resumed'), ('kill', 'kill switch'), ('back', 'back to default')], max_length=10, verbose_name='what')),
                ('before', models.JSONField(null=True, verbose_name='from')),
                ('after', models.JSONField(verbose_name='to')),
                ('why', models.TextField(blank=True, verbose_name='why')),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='who')),
                ('experiment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rollout_moves', to='experiments.experiment', verbose_name='experiment')),
            ],
            options={
                'verbose_name': 'move of a rollout',
                'verbose_name_plural': 'moves of rollouts',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='Rollout',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('flag_key', models.CharField(max_length=128, verbose_name='flag key')),
                ('state', models.CharField(choices=[('rolling', 'rolling out'), ('held', 'rollout paused'), ('killed', 'kill switch on'), ('back', 'back to default')], max_length=10, verbose_name='state')),
                ('rows', models.JSONField(verbose_name='who gets it, and when')),
                ('held_at', models.DateTimeField(null=True, verbose_name='paused since')),
                ('noted_at', models.DateTimeField(verbose_name='steps are logged until')),
                ('first_at', models.DateTimeField(verbose_name='first shipped')),
                ('experiment', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='rollout', to='experiments.experiment', verbose_name='experiment')),
                ('variant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='experiments.variant', verbose_name='variant')),
            ],
            options={
                'verbose_name': 'rollout',
                'verbose_name_plural': 'rollouts',
                'ordering': ['-first_at'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'back'), _negated=True), fields=('flag_key',), name='one_rollout_per_flag')],
            },
        ),
        migrations.CreateModel(
            name='HoldoutPlan',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('since', models.DateField(verbose_name='shipped since')),
                ('population', models.CharField(choices=[('signup', 'who signed up since then'), ('first_seen', 'who was first seen since then'), ('known_before', 'who was seen before then')], default='signup', max_length=16, verbose_name='who counts')),
                ('signup_event', models.CharField(blank=True, max_length=256, verbose_name='signup event')),
                ('outcome', models.CharField(max_length=400, verbose_name='outcome')),
                ('day_mode', models.CharField(choices=[('rolling', '24 hours each'), ('calendar', 'calendar days')], default='rolling', max_length=10, verbose_name='days are')),
                ('alpha', models.FloatField(default=0.05, verbose_name='alpha')),
                ('method', models.CharField(choices=[('fixed', 'one reading at the end'), ('group_sequential', 'planned readings'), ('always_valid', 'any day until the end')], default='fixed', max_length=20, verbose_name='method')),
                ('spending', models.CharField(choices=[('obrien_fleming', "O'Brien-Fleming type: nearly all at the end"), ('pocock', 'Pocock type: evenly')], default='obrien_fleming', max_length=20, verbose_name='how readings spend alpha')),
                ('readings', models.JSONField(verbose_name='dates of the readings')),
                ('planned_units', models.PositiveIntegerField(blank=True, null=True, verbose_name='users expected at the end')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='planned')),
                ('created_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='planned by')),
                ('holdout', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='plans', to='experiments.holdout', verbose_name='holdout')),
            ],
            options={
                'verbose_name': 'plan of a holdout report',
                'verbose_name_plural': 'plans of holdout reports',
                'ordering': ['-created_at', '-id'],
                'constraints': [models.UniqueConstraint(fields=('holdout', 'since', 'population', 'signup_event', 'outcome', 'day_mode'), name='one_plan_a_question')],
            },
        ),
        migrations.CreateModel(
            name='OverlapReport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('queued', 'queued'), ('running', 'running'), ('done', 'done'), ('failed', 'failed'), ('cancelled', 'cancelled')], db_index=True, default='queued', max_length=10, verbose_name='status')),
                ('inputs', models.JSONField(default=dict, verbose_name='inputs')),
                ('seed', models.PositiveBigIntegerField(default=1, verbose_name='seed')),
                ('as_of', models.DateTimeField(blank=True, null=True, verbose_name='data up to')),
                ('stage', models.CharField(blank=True, max_length=40, verbose_name='stage')),
                ('share', models.FloatField(default=0.0, verbose_name='share done')),
                ('cancel_requested', models.BooleanField(default=False, verbose_name='cancel requested')),
                ('payload', models.JSONField(blank=True, null=True, verbose_name='result')),
                ('early', models.JSONField(blank=True, editable=False, null=True)),
                ('reason', models.TextField(blank=True, verbose_name='reason')),
                ('refusal', models.JSONField(blank=True, default=dict, editable=False)),
                ('versions', models.JSONField(blank=True, default=dict, verbose_name='library versions')),
                ('erased_units', models.PositiveIntegerField(db_default=0, default=0, editable=False, verbose_name='units erased since')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('started_at', models.DateTimeField(blank=True, null=True, verbose_name='started')),
                ('heard_at', models.DateTimeField(blank=True, null=True, verbose_name='last sign of life')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished')),
                ('alarms', models.PositiveIntegerField(default=0, editable=False, verbose_name='pairs with trouble')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='started by')),
            ],
            options={
                'verbose_name': 'overlap of experiments',
                'verbose_name_plural': 'overlaps of experiments',
                'ordering': ['-created_at', '-id'],
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='HoldoutReading',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('queued', 'queued'), ('running', 'running'), ('done', 'done'), ('failed', 'failed'), ('cancelled', 'cancelled')], db_index=True, default='queued', max_length=10, verbose_name='status')),
                ('inputs', models.JSONField(default=dict, verbose_name='inputs')),
                ('seed', models.PositiveBigIntegerField(default=1, verbose_name='seed')),
                ('as_of', models.DateTimeField(blank=True, null=True, verbose_name='data up to')),
                ('stage', models.CharField(blank=True, max_length=40, verbose_name='stage')),
                ('share', models.FloatField(default=0.0, verbose_name='share done')),
                ('cancel_requested', models.BooleanField(default=False, verbose_name='cancel requested')),
                ('payload', models.JSONField(blank=True, null=True, verbose_name='result')),
                ('early', models.JSONField(blank=True, editable=False, null=True)),
                ('reason', models.TextField(blank=True, verbose_name='reason')),
                ('refusal', models.JSONField(blank=True, default=dict, editable=False)),
                ('versions', models.JSONField(blank=True, default=dict, verbose_name='library versions')),
                ('erased_units', models.PositiveIntegerField(db_default=0, default=0, editable=False, verbose_name='units erased since')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('started_at', models.DateTimeField(blank=True, null=True, verbose_name='started')),
                ('heard_at', models.DateTimeField(blank=True, null=True, verbose_name='last sign of life')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished')),
                ('opened', models.BooleanField(default=False, editable=False, verbose_name='read the outcome')),
                ('read_on', models.DateField(editable=False, null=True, verbose_name='date of the reading')),
                ('final', models.BooleanField(default=False, editable=False, verbose_name='final')),
                ('broken', models.BooleanField(default=False, editable=False, verbose_name='sample ratio broken')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='started by')),
                ('plan', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='experiments.holdoutplan', verbose_name='plan')),
            ],
            options={
                'verbose_name': 'reading of a holdout',
                'verbose_name_plural': 'readings of holdouts',
                'ordering': ['-created_at', '-id'],
                'abstract': False,
                'indexes': [models.Index(fields=['plan', 'status'], name='reading_of_plan')],
            },
        ),
        migrations.CreateModel(
            name='ReviewItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.CharField(max_length=200, verbose_name='text in English')),
                ('text_ko', models.CharField(blank=True, max_length=200, verbose_name='text in Korean')),
                ('required', models.BooleanField(default=False, verbose_name='required before an approval')),
                ('active', models.BooleanField(default=True, verbose_name='active')),
                ('position', models.PositiveSmallIntegerField(default=0, verbose_name='position')),
            ],
            options={
                'verbose_name': 'own check of a review',
                'verbose_name_plural': 'own checks of a review',
                'ordering': ['position', 'id'],
            },
        ),
        migrations.CreateModel(
            name='ReviewPolicy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('mode', models.CharField(choices=[('automatic', 'automatic: when two or more people could approve'), ('always', 'always'), ('never', 'never ask for one')], default='automatic', max_length=10, verbose_name='review before start')),
            ],
            options={
                'verbose_name': 'rule of reviews',
                'verbose_name_plural': 'rule of reviews',
            },
        ),
        migrations.AlterField(
            model_name='webhookdelivery',
            name='type',
            field=models.CharField(choices=[('experiment.started', 'experiment.started'), ('experiment.stopped', 'experiment.stopped'), ('experiment.verdict', 'experiment.verdict'), ('experiment.sample_ratio', 'experiment.sample_ratio'), ('experiment.review_requested', 'experiment.review_requested'), ('experiment.review_answered', 'experiment.review_answered'), ('experiment.comment', 'experiment.comment'), ('experiment.rollout', 'experiment.rollout')], max_length=40, verbose_name='type'),
        ),
        migrations.CreateModel(
            name='HistoricalPlanTemplate',
            fields=[
                ('id', models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name='ID')),
                ('key', models.SlugField(max_length=64, verbose_name='key')),
                ('name', models.CharField(max_length=100, verbose_name='name in English')),
                ('name_ko', models.CharField(blank=True, max_length=100, verbose_name='name in Korean')),
                ('description', models.TextField(blank=True, max_length=2000, verbose_name='description')),
                ('content', models.JSONField(default=dict, verbose_name='content')),
                ('fixed', models.JSONField(blank=True, default=list, verbose_name='fixed fields')),
                ('version', models.PositiveIntegerField(default=1, editable=False, verbose_name='version')),
                ('archived_at', models.DateTimeField(editable=False, null=True, verbose_name='archived')),
                ('created_at', models.DateTimeField(blank=True, editable=False, verbose_name='created')),
                ('history_id', models.AutoField(primary_key=True, serialize=False)),
                ('history_date', models.DateTimeField(db_index=True)),
                ('history_change_reason', models.CharField(max_length=100, null=True)),
                ('history_type', models.CharField(choices=[('+', 'Created'), ('~', 'Changed'), ('-', 'Deleted')], max_length=1)),
                ('created_by', models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by')),
                ('history_user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'historical template for plans',
                'verbose_name_plural': 'historical templates for plans',
                'ordering': ('-history_date', '-history_id'),
                'get_latest_by': ('history_date', 'history_id'),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name='PlanTemplate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.SlugField(max_length=64, unique=True, verbose_name='key')),
                ('name', models.CharField(max_length=100, verbose_name='name in English')),
                ('name_ko', models.CharField(blank=True, max_length=100, verbose_name='name in Korean')),
                ('description', models.TextField(blank=True, max_length=2000, verbose_name='description')),
                ('content', models.JSONField(default=dict, verbose_name='content')),
                ('fixed', models.JSONField(blank=True, default=list, verbose_name='fixed fields')),
                ('version', models.PositiveIntegerField(default=1, editable=False, verbose_name='version')),
                ('archived_at', models.DateTimeField(editable=False, null=True, verbose_name='archived')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('created_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by')),
            ],
            options={
                'verbose_name': 'template for plans',
                'verbose_name_plural': 'templates for plans',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='ReviewRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('open', 'waits for an answer'), ('approved', 'approved'), ('changes', 'changes requested'), ('withdrawn', 'withdrawn'), ('replaced', 'asked again later')], default='open', max_length=10, verbose_name='state')),
                ('fingerprint', models.CharField(max_length=64)),
                ('version', models.PositiveIntegerField(verbose_name='version of the plan')),
                ('note', models.TextField(blank=True, max_length=2000, verbose_name='note')),
                ('at', models.DateTimeField(auto_now_add=True, verbose_name='when')),
                ('closed_at', models.DateTimeField(null=True, verbose_name='closed')),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='who')),
                ('experiment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='review_requests', to='experiments.experiment')),
                ('reviewers', models.ManyToManyField(blank=True, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='reviewers')),
            ],
            options={
                'verbose_name': 'request for a review',
                'verbose_name_plural': 'requests for reviews',
                'ordering': ['id'],
                'permissions': [('skip_reviewrequest', 'Can start an experiment without its review')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('experiment',), name='one_open_review_request')],
            },
        ),
        migrations.CreateModel(
            name='ReviewAnswer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('approved', 'approved'), ('changes', 'changes requested'), ('skipped', 'started without a review')], max_length=10, verbose_name='answer')),
                ('text', models.TextField(blank=True, max_length=2000, verbose_name='words')),
                ('fingerprint', models.CharField(max_length=64)),
                ('version', models.PositiveIntegerField(verbose_name='version of the plan')),
                ('at', models.DateTimeField(auto_now_add=True, verbose_name='when')),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='who')),
                ('experiment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='review_answers', to='experiments.experiment')),
                ('request', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='answers', to='experiments.reviewrequest')),
            ],
            options={
                'verbose_name': 'answer of a review',
                'verbose_name_plural': 'answers of reviews',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='ReviewTick',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=40, verbose_name='check')),
                ('label', models.CharField(blank=True, max_length=200, verbose_name='check in words')),
                ('note', models.TextField(blank=True, max_length=2000, verbose_name='note')),
                ('fingerprint', models.CharField(max_length=64)),
                ('at', models.DateTimeField(auto_now_add=True, verbose_name='when')),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='who')),
                ('experiment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='review_ticks', to='experiments.experiment')),
                ('item', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='experiments.reviewitem')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('experiment', 'code'), name='one_tick_a_check')],
                'verbose_name': 'ticked check of a review',
                'verbose_name_plural': 'ticked checks of reviews',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='TemplateUse',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveIntegerField(verbose_name='version of the template')),
                ('content', models.JSONField(default=dict, verbose_name='content')),
                ('fixed', models.JSONField(default=list, verbose_name='fixed fields')),
                ('at', models.DateTimeField(auto_now_add=True, verbose_name='when')),
                ('experiment', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='template_use', to='experiments.experiment')),
                ('template', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='uses', to='experiments.plantemplate')),
            ],
            options={
                'verbose_name': 'use of a template',
                'verbose_name_plural': 'uses of templates',
                'ordering': ['id'],
            },
        ),
        migrations.AddField(
            model_name='experiment',
            name='owner',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='owner'),
        ),
        migrations.AddField(
            model_name='experiment',
            name='tags',
            field=models.ManyToManyField(blank=True, editable=False, related_name='+', to='events.tag', verbose_name='tags'),
        ),
        migrations.CreateModel(
            name='FlagAsk',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('flag_key', models.CharField(blank=True, max_length=128)),
                ('door', models.CharField(choices=[('flag', 'one flag'), ('bulk', 'all flags'), ('config', 'the configuration')], max_length=6)),
                ('key_prefix', models.CharField(max_length=8)),
                ('times', models.PositiveBigIntegerField(default=0)),
                ('first_at', models.DateTimeField()),
                ('last_at', models.DateTimeField()),
                ('day', models.DateField(null=True)),
                ('day_before', models.DateField(null=True)),
                ('day_before_times', models.PositiveBigIntegerField(db_default=0, default=0)),
                ('day_times', models.PositiveBigIntegerField(db_default=0, default=0)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('flag_key', 'door', 'key_prefix'), name='one_ask_a_key')],
            },
        ),
        migrations.AddField(
            model_name='historicalexperiment',
            name='owner',
            field=models.ForeignKey(blank=True, db_constraint=False, editable=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='owner'),
        ),
        migrations.CreateModel(
            name='ChosenMetric',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('definition', models.TextField(verbose_name='definition')),
                ('chosen_at', models.DateTimeField(auto_now_add=True, verbose_name='chosen')),
                ('frozen_at', models.DateTimeField(null=True, verbose_name='frozen')),
                ('experiment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='chosen_metrics', to='experiments.experiment')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='chosen', to='events.metricversion')),
            ],
            options={
                'verbose_name': 'metric of a plan',
                'verbose_name_plural': 'metrics of plans',
                'constraints': [models.UniqueConstraint(fields=('experiment', 'version'), name='one_choice_of_a_version')],
            },
        ),
        migrations.CreateModel(
            name='DrawnAs',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('unit', models.CharField(max_length=256, unique=True)),
                ('drawn_as', models.CharField(max_length=256)),
            ],
        ),
        migrations.AddField(
            model_name='assignment',
            name='drawn_by',
            field=models.CharField(max_length=256, null=True, verbose_name='drawn by'),
        ),
        migrations.AddField(
            model_name='assignment',
            name='former_variant',
            field=models.PositiveBigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='analysis',
            name='proof',
            field=models.JSONField(blank=True, editable=False, null=True),
        ),
        migrations.CreateModel(
            name='Registration',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('made_at', models.DateTimeField(auto_now_add=True, verbose_name='made')),
                ('text', models.TextField(verbose_name='text')),
                ('sha256', models.CharField(max_length=64, verbose_name='hash of the text')),
                ('experiment', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='registration', to='experiments.experiment')),
            ],
            options={
                'verbose_name': 'registered plan',
                'verbose_name_plural': 'registered plans',
            },
        ),
        migrations.AddField(
            model_name='experiment',
            name='drafted_by_agent',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=200, verbose_name='drafted by the agent'),
        ),
        migrations.AddField(
            model_name='historicalexperiment',
            name='drafted_by_agent',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=200, verbose_name='drafted by the agent'),
        ),
        migrations.RunPython(keep_what_counts, migrations.RunPython.noop),
        migrations.RunPython(fill_columns, migrations.RunPython.noop),
        migrations.RunPython(fill_figures, migrations.RunPython.noop),
    ]
