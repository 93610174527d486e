"""What lists and the page of an experiment show: the few numbers of an analysis as a column, and who asks for a flag.

The column of analyses from before it is read out of their results, without any code of today, in batches.
"""

from django.db import migrations, models

BATCH = 50  # a result has a hundred kilobytes


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


def fill(apps, schema_editor):
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


class Migration(migrations.Migration):
    atomic = False  # each row by itself: the site may go on while it runs, and it may be run again

    dependencies = [('experiments', '0013_planned_effect')]
    operations = [
        migrations.AddField('analysis', 'figures', models.JSONField(editable=False, null=True)),
        migrations.CreateModel(
            name='FlagAsk',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('flag_key', models.CharField(blank=True, max_length=128)),
                (
                    'door',
                    models.CharField(
                        choices=[('flag', 'one flag'), ('bulk', 'all flags'), ('config', 'the configuration')],
                        max_length=6,
                    ),
                ),
                ('key_prefix', models.CharField(max_length=8)),
                ('times', models.PositiveBigIntegerField(default=0)),
                ('first_at', models.DateTimeField()),
                ('last_at', models.DateTimeField()),
            ],
            options={
                'constraints': [
                    models.UniqueConstraint(fields=('flag_key', 'door', 'key_prefix'), name='one_ask_a_key')
                ]
            },
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
