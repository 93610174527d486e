"""Empty: the groups of the four roles are written after each migrate from today's table (insight_site/access/roles.py)."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("insight_site", "0005_sharelink"),
        ("experiments", "0004_analysis"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = []
