"""The admin and one list behind REST framework."""

from django.contrib import admin
from django.contrib.auth.models import Group
from django.urls import path
from rest_framework.generics import ListAPIView
from rest_framework.serializers import ModelSerializer


class ThingSerializer(ModelSerializer):
    class Meta:
        model = Group
        fields = ("id", "name")


class Things(ListAPIView):
    queryset = Group.objects.order_by("pk")
    serializer_class = ThingSerializer


urlpatterns = [path("admin/", admin.site.urls), path("things/", Things.as_view())]
