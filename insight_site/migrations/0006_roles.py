"""Four roles as groups: PM, analyst, service owner, admin (docs/roles.md)."""

from django.db import migrations

from insight_site import roles


def add(apps, schema_editor):
    roles.grant(apps, schema_editor.connection.alias)


def remove(apps, schema_editor):
    apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias).filter(name__in=roles.ROLES).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("insight_site", "0005_sharelink"),
        ("experiments", "0004_analysis"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(add, remove)]
