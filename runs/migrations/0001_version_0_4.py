"""The tables of version 0.4, where this app began; what an operator set in the queue of 0.3 is taken over."""

from datetime import UTC

from django.db import migrations, models


def take_over(apps, schema_editor):
    """When each schedule of the former queue is due, and how often: an operator may have changed it.

    Its tables stay, since the release before works on this schema too. Tasks that wait there are pickles, which nobody
    reads: a worker asks anew for the runs among them (`runs.queue.jobs.put_forgotten`), and the rest comes by the clock.
    """
    connection = schema_editor.connection
    if "django_q_schedule" not in connection.introspection.table_names():
        return
    Schedule = apps.get_model("runs", "Schedule")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, func, schedule_type, minutes, next_run FROM django_q_schedule"
            " WHERE schedule_type IN ('I', 'H', 'D') AND next_run IS NOT NULL AND name IS NOT NULL AND repeats <> 0"
        )
        rows = cursor.fetchall()
    moment = Schedule._meta.get_field("next_run").to_python
    for name, task, every, minutes, next_run in rows:
        due = moment(next_run)
        due = due if due.tzinfo else due.replace(tzinfo=UTC)  # SQLite keeps UTC without saying so
        Schedule.objects.get_or_create(
            name=name, defaults={"task": task, "every": every, "minutes": minutes, "next_run": due}
        )


class Migration(migrations.Migration):

    replaces = [
        ('runs', '0001_worker_pulse'),
        ('runs', '0002_queue'),
        ('runs', '0003_counts_and_origins'),
    ]

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='WorkerPulse',
            fields=[
                ('name', models.CharField(max_length=200, primary_key=True, serialize=False)),
                ('started_at', models.DateTimeField()),
                ('heard_at', models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name='Schedule',
            fields=[
                ('name', models.CharField(max_length=100, primary_key=True, serialize=False, verbose_name='name')),
                ('task', models.CharField(max_length=200, verbose_name='task')),
                ('every', models.CharField(choices=[('I', 'every … minutes'), ('H', 'each hour'), ('D', 'each day')], max_length=1, verbose_name='how often')),
                ('minutes', models.PositiveIntegerField(blank=True, null=True, verbose_name='minutes')),
                ('next_run', models.DateTimeField(verbose_name='next')),
                ('last_started_at', models.DateTimeField(blank=True, null=True, verbose_name='last started')),
                ('last_ended_at', models.DateTimeField(blank=True, null=True, verbose_name='last ended')),
                ('last_success_at', models.DateTimeField(blank=True, null=True, verbose_name='last success')),
                ('failures', models.PositiveIntegerField(default=0, verbose_name='failures in a row')),
            ],
            options={
                'verbose_name': 'schedule',
                'verbose_name_plural': 'schedules',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Job',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('task', models.CharField(max_length=200, verbose_name='task')),
                ('queue', models.CharField(max_length=20, verbose_name='queue')),
                ('arguments', models.JSONField(default=list, verbose_name='arguments')),
                ('schedule', models.CharField(blank=True, max_length=100, verbose_name='schedule')),
                ('state', models.CharField(choices=[('waiting', 'waiting'), ('running', 'running'), ('done', 'done'), ('failed', 'failed')], default='waiting', max_length=10, verbose_name='state')),
                ('attempts', models.PositiveSmallIntegerField(default=0, verbose_name='tries')),
                ('error', models.CharField(blank=True, max_length=500, verbose_name='error')),
                ('asked_at', models.DateTimeField(auto_now_add=True, verbose_name='asked for')),
                ('due_at', models.DateTimeField(blank=True, null=True, verbose_name='not before')),
                ('started_at', models.DateTimeField(blank=True, null=True, verbose_name='started')),
                ('ended_at', models.DateTimeField(blank=True, null=True, verbose_name='ended')),
                ('owner', models.CharField(blank=True, max_length=200, verbose_name='process')),
                ('owned_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('origin', models.JSONField(blank=True, editable=False, null=True)),
            ],
            options={
                'verbose_name': 'background task',
                'verbose_name_plural': 'background tasks',
                'ordering': ['-pk'],
                'indexes': [models.Index(condition=models.Q(('state', 'waiting')), fields=['queue', 'id'], name='runs_job_waiting'), models.Index(condition=models.Q(('state', 'running')), fields=['owner'], name='runs_job_running'), models.Index(fields=['state', 'ended_at'], name='runs_job_ended')],
            },
        ),
        migrations.CreateModel(
            name='OutcomeCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.CharField(max_length=20)),
                ('kind', models.CharField(max_length=200)),
                ('outcome', models.CharField(max_length=20)),
                ('number', models.PositiveBigIntegerField(default=0)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('subject', 'kind', 'outcome'), name='runs_outcome_counted_once')],
            },
        ),
        migrations.RunPython(take_over, migrations.RunPython.noop),
    ]
