"""The queue's own rows in the look of the rest: what is scheduled, what was done, what failed."""

from django.contrib import admin
from django_q.admin import FailAdmin, ScheduleAdmin, TaskAdmin
from django_q.models import Failure, Schedule, Success
from unfold.admin import ModelAdmin

for model in (Schedule, Success, Failure):
    admin.site.unregister(model)


@admin.register(Schedule)
class SiteScheduleAdmin(ScheduleAdmin, ModelAdmin):
    pass


@admin.register(Success)
class SiteSuccessAdmin(TaskAdmin, ModelAdmin):
    pass


@admin.register(Failure)
class SiteFailureAdmin(FailAdmin, ModelAdmin):
    pass
