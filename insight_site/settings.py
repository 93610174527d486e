"""Settings, read from the environment and from `.env` (see `.env.example`). One file, for every kind of machine."""

import hashlib
import os
from pathlib import Path

import environ
import structlog
from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP

from insight_site import first_start
from insight_site.admin_look import UNFOLD as UNFOLD
from insight_site.first_start import configured, mailer, providers, read_secret_files, roles_by_group

first_start.collect_seldom()
BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
env.read_env(BASE_DIR / ".env")
read_secret_files()
VAR_DIR = Path(
    env.str("VAR_DIR", default="") or BASE_DIR / "var"
)  # the folder for everything that is written and has no setting of its own


def _secret_key() -> str:
    """The environment's, or the key of this checkout. Several hosts must share one: set SECRET_KEY there."""
    path = VAR_DIR / "secret_key"
    key = env.str("SECRET_KEY", default="") or (path.read_text().strip() if path.exists() else "")
    if not key:  # an empty key would also make the peppers of API keys public
        raise ImproperlyConfigured("There is no secret key: run `make setup`, or set SECRET_KEY.")
    return str(key)


DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = _secret_key()
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])  # older: their sessions and API keys stay valid
# 32 bytes in base64 that sign final analyses; without it `insight_site.exports.sign` keeps them in VAR_DIR/signing_key.
SIGNING_KEY = env.str("SIGNING_KEY", default="")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
HTTPS = env.bool("HTTPS", default=False)
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)
# Networks whose callers need no key for metrics and parts. None by default, not even this machine: a local proxy that
# doesn't forward the client's address would open them to all its visitors.
INTERNAL_NETWORKS = env.list("INTERNAL_NETWORKS", default=[])

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.simple_history",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "simple_history",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.usersessions",
    "insight_site",
    "experiments",
    "launches",
    "aha",
    "segments",
    "events",
    "runs",
]
MIDDLEWARE = [
    "insight_site.middleware.operations",
    "insight_site.machine.dispatch.machine_doors",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "insight_site.middleware.admin_csp",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "insight_site.middleware.particles",
    "insight_site.middleware.event_names",
    "insight_site.middleware.time_zones",
    "insight_site.middleware.Slashes",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "insight_site.signin.trusted_header.trusted_header",
    "insight_site.signin.session_life.session_life",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "insight_site.access.audit.audit",
    "insight_site.access.permissions.Doors",
    "insight_site.rest.idempotency.Idempotency",
]
ROOT_URLCONF = "insight_site.urls"
WSGI_APPLICATION = "insight_site.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "insight_site.pages.preferences.navigation",
            ]
        },
    }
]

# ── Data ──────────────────────────────────────────────────────────────────────
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'insight.sqlite3'}")}
# How long a writer waits for the lock; a request may wait twice. Less than the timeouts of the event libraries (10 s)
# and of gunicorn (30 s): they must get a 503, which they retry, not a worker that is killed in the middle.
DATABASE_LOCK_SECONDS = env.int("DATABASE_LOCK_SECONDS", default=4)
# FULL: an answered event survives a power cut. NORMAL survives a crash of the process alone, and waits for no disk.
DATABASE_SYNCHRONOUS = env.str("DATABASE_SYNCHRONOUS", default="FULL", choices=("FULL", "NORMAL"))
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # IMMEDIATE: select_for_update() does nothing on SQLite, so a writer must take the lock at its beginning.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": DATABASE_LOCK_SECONDS,
        # A batch of events touches an index page of the ids for each event: at 1,000 pages, SQLite's default, each
        # batch would checkpoint them all. The log of 10,000 pages has 40 MB; if a long reader let it grow, it is
        # truncated when it is reset.
        "init_command": (
            f"PRAGMA journal_mode=WAL; PRAGMA synchronous={DATABASE_SYNCHRONOUS}; PRAGMA wal_autocheckpoint=10000;"
            " PRAGMA journal_size_limit=67108864;"
        ),
    }
    # Tests start and kill other processes on the same rows, so their database is on disk too.
    DATABASES["default"]["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
else:
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", DATABASE_LOCK_SECONDS)
# Off behind a pooler that shares connections between statements without prepared ones (PgBouncer before 1.21).
DATABASE_PREPARES = env.bool("DATABASE_PREPARES", default=True)
if DATABASE_PREPARES and not DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"].setdefault("prepare_threshold", 5)
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
REDIS_URL = env.str("REDIS_URL", default="")
# Redis only counts: a silent one must not delay a request, so it isn't retried either.
REDIS_SECONDS = 0.25
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_connect_timeout": REDIS_SECONDS, "socket_timeout": REDIS_SECONDS},
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
# Used codes, and tries of the second factor: all processes must share them, without Redis too.
CACHES["signin"] = (
    CACHES["default"]
    if REDIS_URL
    else {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "insight_site_signincache",
        # Beyond this any third is evicted: strangers' entries must not push out the counts of guessed codes.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
)
EVENTS_URL = env.str("EVENTS_URL", default=str(VAR_DIR / "events"))
# What Explore keeps of a snapshot of the event store, for fast pages; it may be deleted at any time.
EXPLORE_DIR = env.str("EXPLORE_DIR", default=str(VAR_DIR / "explore"))
EXPLORE_MEMORY = env.str("EXPLORE_MEMORY", default="2GB")  # of the engine, per query
EXPLORE_QUESTIONS = env.int("EXPLORE_QUESTIONS", default=2)  # concurrent queries in one web process
EXPLORE_KEEP_MB = env.int("EXPLORE_KEEP_MB", default=2048)  # of cached answers; the least used are evicted first
SEGMENTS_MEMORY = env.str("SEGMENTS_MEMORY", default="1500MB")  # of the engine, for a segmentation or a refresh
# What a run may read, and all runs of a day (UTC) together; 0: no budget (docs/queries.md).
BUDGET_RUN_BYTES = env.int("BUDGET_RUN_BYTES", default=0)
BUDGET_DAY_BYTES = env.int("BUDGET_DAY_BYTES", default=0)
PRICE_PER_TB = env.float("PRICE_PER_TB", default=0.0)  # of 10^12 bytes read
PRICE_CURRENCY = env.str("PRICE_CURRENCY", default="USD")
WAREHOUSE_URL = env.str("WAREHOUSE_URL", default="")
SPARK_DRIVER_MEMORY = env.str("SPARK_DRIVER_MEMORY", default="2g")  # of the process that queries a Spark cluster
EVENT_ID_DAYS = env.int("EVENT_ID_DAYS", default=7)  # how long duplicate message ids are detected after their flush
CLIENT_EVENT_DAYS = env.int("CLIENT_EVENT_DAYS", default=30)  # oldest event that a client key may send
# New ids per address and hour whose exposures count on a site with only client keys; an experiment's start freezes it.
CLIENT_NEW_IDS = env.int("CLIENT_NEW_IDS", default=200)
REJECTED_DAYS = env.int("REJECTED_DAYS", default=30)  # how long rejected events stay readable
AUDIT_DAYS = env.int("AUDIT_DAYS", default=730)  # how long the audit log is kept; 0 for ever
# Days after which events and traits are deleted; 0: never. A source may have its own for events.
RETENTION_DAYS = env.int("RETENTION_DAYS", default=0)
TRAITS_DAYS = env.int("TRAITS_DAYS", default=0)
AUDIENCE_URLS = env.list("AUDIENCE_URLS", default=[])  # object-store addresses where lists of users may be written
# Where results are written as tables: a folder, s3://bucket/path, postgres://… or duckdb://…; empty: nowhere.
RESULTS_URL = env.str("RESULTS_URL", default="")
ENVIRONMENT = env.str("ENVIRONMENT", default="production")  # each environment is a separate site
ERASED_DAYS = env.int("ERASED_DAYS", default=90)  # how long late events of an erased user are dropped
# Pepper of the digests that identify them and that receipts hold. If it changes, late events are stored again.
ERASURE_PEPPER = (
    env.str("ERASURE_PEPPER", default="") or hashlib.sha256(f"erasure-pepper:{SECRET_KEY}".encode()).hexdigest()
)
ASSIGNMENTS_REMEMBERED = env.int("ASSIGNMENTS_REMEMBERED", default=100_000)  # cached in each web process, about 35 MB
OUTBOX_LAG_SECONDS = env.int("OUTBOX_LAG_SECONDS", default=900)  # the outbox has failed when a row waits longer
# The ingest endpoint answers 429 beyond this many waiting rows (about 4 GB), or with less space on a local disk.
OUTBOX_ROWS = env.int("OUTBOX_ROWS", default=5_000_000)
DISK_FREE_MB = env.int("DISK_FREE_MB", default=1_000)
UPLOADS_DIR = Path(env.str("UPLOADS_DIR", default=str(VAR_DIR / "uploads")))  # site and worker must share it
UPLOAD_BYTES = env.int("UPLOAD_BYTES", default=2_000_000_000)  # the largest upload
UPLOADS_WAITING = env.int("UPLOADS_WAITING", default=10)  # most uploads waiting, of all people
BACKUP_DIR = env.str("BACKUP_DIR", default="")  # a folder or s3://bucket/path for one backup a night; empty: none
BACKUP_KEEP = env.int("BACKUP_KEEP", default=7)  # newest backups to keep
WAREHOUSE_TABLE = env.str("WAREHOUSE_TABLE", default="events")
WAREHOUSE_MAPPING = env.str("WAREHOUSE_MAPPING", default="")  # a YAML file of several tables (docs/queries.md)
WAREHOUSE_COLUMNS = env.str("WAREHOUSE_COLUMNS", default="")  # user_id=uid,event=name,time=ts,properties=props
# A schema of the warehouse where daily tables are kept (docs/queries.md); empty: none are.
WAREHOUSE_DAILY_SCHEMA = env.str("WAREHOUSE_DAILY_SCHEMA", default="")
WAREHOUSE_LATE_DAYS = env.int("WAREHOUSE_LATE_DAYS", default=3)  # days after which a date is taken to be complete

# ── Long computations ─────────────────────────────────────────────────────────
# Parallel parts of one study or segmentation; 0 takes a core each, at most 8. More use memory, and change no number.
COMPUTE_WORKERS = env.int("COMPUTE_WORKERS", default=0)
# Numba's compilation cache for UMAP, shared by all processes; it may be deleted at any time.
COMPILED_DIR = env.str("COMPILED_DIR", default=str(VAR_DIR / "compiled"))
os.environ.setdefault("NUMBA_CACHE_DIR", COMPILED_DIR)
# The number of threads changes the order of NumPy's sums, and so results. Its libraries read this when loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# ── People and language ───────────────────────────────────────────────────────
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
LANGUAGE_CODE = env.str("LANGUAGE_CODE", default="en")
LANGUAGES = [("en", "English"), ("ko", "한국어")]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["insight_site.formats"]
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
USE_TZ = True
USE_I18N = True

# ── Sign in (docs/signin.md) ──────────────────────────────────────────────────
PASSWORD_CHARS = env.int("PASSWORD_CHARS", default=12)  # of new passwords; older ones stay
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in {
        "UserAttributeSimilarityValidator": {},
        "MinimumLengthValidator": {"min_length": PASSWORD_CHARS},
        "CommonPasswordValidator": {},
        "NumericPasswordValidator": {},
    }.items()
]
LOCAL_PASSWORDS = env.bool("LOCAL_PASSWORDS", default=True)
PASSWORD_RESET_TIMEOUT = 24 * 3600  # of links to set a password, in seconds
SESSION_DAYS = env.int("SESSION_DAYS", default=14)  # of a session, in all
SESSION_IDLE_MINUTES = env.int("SESSION_IDLE_MINUTES", default=24 * 60)  # without a request
SESSION_COOKIE_AGE = SESSION_DAYS * 24 * 3600
SIGNIN_DAYS = env.int("SIGNIN_DAYS", default=180)  # retention of the sign-in log
MFA_REQUIRED_ROLES = env.list("MFA_REQUIRED_ROLES", default=[])  # names of roles, and "superuser"

SOCIALACCOUNT_PROVIDERS = providers(env)
INSTALLED_APPS += [f"allauth.socialaccount.providers.{name}" for name in SOCIALACCOUNT_PROVIDERS]
SSO_CREATES_ACCOUNTS = env.bool("SSO_CREATES_ACCOUNTS", default=True)
SSO_EMAIL_DOMAINS = env.list("SSO_EMAIL_DOMAINS", default=[])
SSO_ROLES = roles_by_group(env.list("SSO_ROLES", default=[]))
SSO_REQUIRES_GROUP = env.bool("SSO_REQUIRES_GROUP", default=False)
TRUSTED_HEADER_USER = env.str("TRUSTED_HEADER_USER", default="")
TRUSTED_HEADER_EMAIL = env.str("TRUSTED_HEADER_EMAIL", default="")
TRUSTED_HEADER_GROUPS = env.str("TRUSTED_HEADER_GROUPS", default="")
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])

MAILERS = {"default": mailer(env.email_url("EMAIL_URL", default="consolemail://"))}
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="insight@localhost")
NOTICES = configured(env, ALLOWED_HOSTS, https=HTTPS)

# allauth provides the second factor, providers, and the steps of a sign-in. Passwords, their throttle and links to set
# them are ours (insight_site.signin), so that failures are counted in the database, across processes.
ACCOUNT_ADAPTER = "insight_site.signin.adapters.Accounts"
SOCIALACCOUNT_ADAPTER = "insight_site.signin.adapters.Providers"
MFA_ADAPTER = "insight_site.signin.adapters.SecondFactor"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_REAUTHENTICATION_METHODS = {"mfa", "password"} if LOCAL_PASSWORDS else {"mfa"}
# `login_failed` only limits codes of the second factor, per account: a code has a million values.
ACCOUNT_RATE_LIMITS = {"login": False, "login_failed": "10/15m/key", "reauthenticate": "20/15m/user"}
SOCIALACCOUNT_LOGIN_ON_GET = True  # a form that leads elsewhere is stopped by the policy `form-action 'self'`
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_STORE_TOKENS = False
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_RECOVERY_CODES_SHOW_ONCE = True  # else anyone at an open browser could read them
MFA_TOTP_ISSUER = "Insight"
MFA_TOTP_TOLERANCE = 1  # a code is valid half a minute longer on both sides, since telephones' clocks differ
MFA_ALLOW_UNVERIFIED_EMAIL = True  # an address proves nothing here: administrators enter it
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = env.bool("WEBAUTHN_WITHOUT_HTTPS", default=False)

# ── Files ─────────────────────────────────────────────────────────────────────
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static_root"
WHITENOISE_USE_FINDERS = True

# ── Security ──────────────────────────────────────────────────────────────────
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}
SECURE_SSL_REDIRECT = HTTPS
# Machine endpoints must never redirect: a redirected POST loses its body. insight_site.access.permissions answers
# with 403.
SECURE_REDIRECT_EXEMPT = [r"^v1/", r"^ofrep/", r"^api/", r"^healthz", r"^readyz$", r"^metrics$"]
# The first pepper is for new keys; further ones keep older keys valid during a change.
API_KEY_PEPPERS = env.list("API_KEY_PEPPERS", default=[]) or [
    hashlib.sha256(f"api-key-pepper:{key}".encode()).hexdigest() for key in (SECRET_KEY, *SECRET_KEY_FALLBACKS)
]
KEY_ROTATION_DAYS = env.int("KEY_ROTATION_DAYS", default=7)  # how long a rotated key stays valid
RATES = {  # calls a minute for each server or admin key, by endpoint; 60 for others
    "ingest": env.int("RATE_INGEST", default=600),
    "evaluation": env.int("RATE_EVALUATION", default=12_000),
    "payload": env.int("RATE_PAYLOAD", default=600),
    "streams": env.int("RATE_STREAMS", default=12_000),
    "agents": env.int("RATE_AGENTS", default=300),  # messages: an agent sends several for one action
    # With a client key, which is public, per endpoint: for one address, and for all visitors together.
    "visitor": env.int("RATE_VISITOR", default=600),
    "client key": env.int("RATE_CLIENT_KEY", default=12_000),
}
# Address where browsers open event streams: the proxy before `manage.py event_streams`. Empty: answers name none.
EVENT_STREAMS_URL = env.str("EVENT_STREAMS_URL", default="").rstrip("/")
# Connections per process: in all, with one key, and with one key from one address.
_STREAMS = {"EVENT_STREAMS": 5_000, "EVENT_STREAMS_KEY": 4_000, "EVENT_STREAMS_VISITOR": 50}
EVENT_STREAMS, EVENT_STREAMS_KEY, EVENT_STREAMS_VISITOR = (env.int(name, default=n) for name, n in _STREAMS.items())
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
# Both bind other hosts of the same domain, and browsers' preload lists are hard to leave: they are opt-in.
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("HSTS_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.bool("HSTS_PRELOAD", default=False)
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]  # both checks ask for the two options
SILENCED_SYSTEM_CHECKS += ["mail.E001"]  # a site without EMAIL_URL sends no mail: only links to set a password need it
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
X_FRAME_OPTIONS = "DENY"
SIMPLE_HISTORY_REVERT_DISABLED = True  # no button; `events.admin.WithHistory` refuses what it would send

# ── The management API ────────────────────────────────────────────────────────
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "insight_site.rest.endpoints.KeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["insight_site.rest.endpoints.MayUse"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["insight_site.rest.endpoints.StrictJSON"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "insight_site.rest.endpoints.Pages",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "insight_site.rest.problems.problem",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Insight",
    "DESCRIPTION": "Segments, AHA moments, experiments and their results.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "insight_site.rest.openapi.add_common"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# ── Background work ───────────────────────────────────────────────────────────
# Processes per worker for long tasks; two more flush events to the store and run short tasks.
WORKERS = env.int("WORKERS", default=2)
WORKER_MB = env.int("WORKER_MB", default=3_000)  # a process that has grown larger is replaced after its job
# How long a stopping worker waits for its jobs; an unfinished one is stopped, and restarted by another worker.
WORKER_GRACE_SECONDS = env.int("WORKER_GRACE_SECONDS", default=30)
# A heartbeat file that a worker touches every few seconds, for probes without database access; "" for none.
WORKER_ALIVE_FILE = env.str("WORKER_ALIVE_FILE", default="")

# ── Logs: one JSON object a line ──────────────────────────────────────────────
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
_SHARED_PROCESSORS: list[structlog.types.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    structlog.processors.format_exc_info,
    first_start.masked,
]
structlog.configure(
    processors=[*_SHARED_PROCESSORS, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": "structlog.stdlib.ProcessorFormatter",
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            "foreign_pre_chain": _SHARED_PROCESSORS,
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    # The endpoint's own line suffices; Django's would add a second one for each rejected request.
    "loggers": {"django.request": {"level": "ERROR"}},
}
