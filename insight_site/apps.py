from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from insight_site import schedules
from insight_site.access import roles
from reporting import words
from runs.kinds import RunKind
from runs.personal_data import BYTES, PLAIN, UnitFiles, UnitRows, UnitTexts
from runs.queue.registry import QUICK, Task

SELF_TEST_STAGES = {
    "units": _("finding who counts"),
    "counts": _("counting behaviours"),
    "histogram": _("counting behaviours"),
    "attributes": _("reading what is known at signup"),
    "curve": _("counting who comes back"),
    "plants": _("planting effects and asking about them"),
    "null": _("shuffling retention"),
    "model": _("training and judging the model"),
    "shap": _("explaining the model"),
    "ranks": _("ranking behaviours"),
    "choice": _("choosing the number again and again"),
    "steps": _("searching for jumps"),
    "adjustment": _("adjusting for other behaviours"),
    "styles": _("searching for planted styles"),
    "splits": _("splitting users into halves"),
    "report": _("writing the report"),
}


class InsightSiteConfig(AppConfig):
    name = "insight_site"
    verbose_name = _("Access")
    tasks = (
        Task("insight_site.tasks.draw_pictures", QUICK, late=True),  # no run waits for it, nor any notice
        Task("insight_site.tasks.forget_pictures", QUICK),
        Task("insight_site.tasks.close_lost_runs", QUICK),
        Task("insight_site.tasks.forget_old_calls", QUICK),
        Task("insight_site.tasks.forget_leases", QUICK),
        Task("insight_site.tasks.forget_sign_ins", QUICK),
        Task("insight_site.tasks.send_password_link", QUICK, seconds=60),
        Task("insight_site.tasks.count_home_figures"),
        Task("insight_site.tasks.write_sample"),
        Task("insight_site.tasks.remove_sample"),
        Task("insight_site.tasks.forget_test_events"),
        Task("insight_site.tasks.count_due_audiences", QUICK),
        Task("insight_site.tasks.count_audience"),
        Task("insight_site.tasks.send_audiences", QUICK, seconds=1200),
        Task("insight_site.tasks.erase", seconds=4 * 3600),
        Task("insight_site.tasks.retain", seconds=4 * 3600),
        Task("insight_site.tasks.write_results", seconds=3600),
        Task("insight_site.tasks.write_finished", seconds=1200),
        Task("insight_site.tasks.back_up", seconds=6 * 3600),
        Task("insight_site.tasks.tell", QUICK, seconds=120),
        Task("insight_site.tasks.deliver_notices", QUICK, seconds=1200, tries=1),
        Task("insight_site.tasks.look_at_parts", QUICK, seconds=120),
        Task("insight_site.tasks.make_digest", QUICK, seconds=600),
        Task("insight_site.tasks.send_digest_now", QUICK, seconds=120),
        Task("insight_site.tasks.try_channel", QUICK, seconds=60, tries=1),
        Task("insight_site.tasks.forget_notices", QUICK),
        Task("insight_site.tasks.run_self_test"),
    )
    signs_proofs = "insight_site.exports.sign.sign_proof"
    thing_uses = ("insight_site.audiences.audience_services.things_of_audiences",)
    personal_data = (
        UnitRows("insight_site.AudienceMember", "unit", _("audiences")),
        UnitFiles(
            "written results", _("results written for other programs"), "insight_site.write_back.writing.erase_users"
        ),
        UnitTexts("insight_site.IdempotentCall", ("content",), _("answers to repeated calls"), BYTES, drop=True),
        UnitTexts("insight_site.AuditEntry", ("before", "after"), _("log of who changed what")),
        UnitTexts("insight_site.AuditEntry", ("object_name",), _("log of who changed what"), PLAIN),
        UnitTexts("admin.LogEntry", ("object_repr", "change_message"), _("log of the administration"), PLAIN),
        UnitTexts("insight_site.Picture", ("label",), _("pictures"), PLAIN),
        UnitTexts("insight_site.Picture", ("spec",), _("pictures"), drop=True),
        UnitTexts("insight_site.Picture", ("content",), _("pictures"), BYTES, drop=True),
        UnitTexts("insight_site.Board", ("name",), _("boards"), PLAIN),
        UnitTexts("insight_site.Snapshot", ("value",), _("figures of the first page")),
        UnitTexts("insight_site.SelfTest", ("payload", "inputs", "refusal", "early"), _("self-tests")),
        UnitTexts("insight_site.SelfTest", ("reason",), _("self-tests"), PLAIN),
    )
    without_units = {
        "admin.LogEntry.object_id": "number of a row",
        "auth.User": "accounts of the people who work here, not of the users whose events are kept",
        "auth.Group": "roles",
        "auth.Permission": "names",
        "contenttypes.ContentType": "names",
        "sessions.Session": "who is logged in here",
        "insight_site.Promotion": "names of environments, plans and the people who work here",
        "insight_site.Audience": "names, addresses and numbers",
        "insight_site.BoardCard": "definition of an outcome",
        "insight_site.ApiKey": "names and digests of keys",
        "insight_site.Picture": "names of runs and charts",
        "insight_site.PublicKey": "keys of this site",
        "insight_site.IdempotentCall": "digests",
        "insight_site.ShareLink": "digests and names of runs",
        "insight_site.Preference": "languages and looks",
        "insight_site.Snapshot.name": "name of a figure",
        "insight_site.WriteProbe": "a time",
        "insight_site.Lease": "digests of keys and addresses of callers",
        "insight_site.AuditEntry": "accounts, routes and addresses of the people who work here",
        "insight_site.SignIn": "accounts of the people who work here, and how they signed in",
        "account.EmailAddress": "accounts, alike",
        "account.EmailConfirmation": "accounts, alike",
        "mfa.Authenticator": "accounts, alike",
        "socialaccount.SocialApp": "providers",
        "socialaccount.SocialAccount": "accounts, alike",
        "socialaccount.SocialToken": "accounts, alike",
        "usersessions.UserSession": "accounts, alike",
        "insight_site.NoticeChoice": "kinds of notices that an account wants",
        "insight_site.NoticeChannel": "places where the people who work here read notices",
        "insight_site.ToldState": "kinds and numbers of rows",
        "insight_site.Notice": "kinds and numbers of rows; names stand in the rows",
        "insight_site.Digest": "numbers of rows, and shares of all new users",
        "insight_site.DigestRecipient": "addresses of people who read results, not of users",
        "insight_site.DigestMail": "numbers of rows",
        "insight_site.SelfTest": "states and versions of libraries",
        "insight_site.Erasure": "ids until the erasure is done, then digests that need a secret",
    }

    run_kinds = (
        RunKind(
            model="insight_site.SelfTest",
            page=("selftest:run", "pk"),
            permission="insight_site.add_selftest",
            stages=SELF_TEST_STAGES,
            task="insight_site.tasks.run_self_test",
            units_of="*",
            schema="insight_site.selftest.selftest_result.SELF_TEST",
            may_read="insight_site.view_selftest",
        ),
    )

    def ready(self) -> None:
        from insight_site import checks  # noqa: F401, PLC0415 - registers the system checks, which need loaded apps
        from insight_site.access import audit  # noqa: PLC0415 - looks at every model
        from insight_site.operate import tracing  # noqa: PLC0415 - it knows models
        from insight_site.signin import session_life  # noqa: PLC0415 - need loaded apps

        if tracing.is_on():
            tracing.begin()
        audit.connect()
        words.bind(gettext)
        session_life.share()
        session_life.connect()
        post_migrate.connect(schedules.synchronise, sender=self)
        post_migrate.connect(roles.grant, dispatch_uid="insight_site.access.roles")
