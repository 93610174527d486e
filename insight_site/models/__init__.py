"""Database models of the site: keys, audiences, notices, promotions, self-tests. Django finds models by this module."""

from insight_site.models.audiences import Audience, AudienceMember
from insight_site.models.notices import (
    Digest,
    DigestMail,
    DigestRecipient,
    Notice,
    NoticeChannel,
    NoticeChoice,
    ToldState,
)
from insight_site.models.promotions import Promotion
from insight_site.models.self_tests import SelfTest
from insight_site.models.site import (
    ApiKey,
    AuditEntry,
    Erasure,
    IdempotentCall,
    Lease,
    Picture,
    Preference,
    PublicKey,
    ShareLink,
    SignIn,
    Snapshot,
    WriteProbe,
)

__all__ = [
    "ApiKey",
    "Audience",
    "AudienceMember",
    "AuditEntry",
    "Digest",
    "DigestMail",
    "DigestRecipient",
    "Erasure",
    "IdempotentCall",
    "Lease",
    "Notice",
    "NoticeChannel",
    "NoticeChoice",
    "Picture",
    "Preference",
    "Promotion",
    "PublicKey",
    "SelfTest",
    "ShareLink",
    "SignIn",
    "Snapshot",
    "ToldState",
    "WriteProbe",
]
