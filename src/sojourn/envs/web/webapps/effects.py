"""What looking around changes in the applications' databases."""

from __future__ import annotations

from collections.abc import Mapping

from sojourn.envs.web.checks.diff import ALL

SIDE_EFFECTS: Mapping[str, tuple[str, ...]] = {
    # that somebody looked at pages, and was logged in
    "django_session": (ALL,),
    "auth_user": ("last_login",),
    "analytics_productrecord": (ALL,),
    "analytics_userproductview": (ALL,),
    "analytics_userrecord": (ALL,),
    "analytics_usersearch": (ALL,),
    "basket_basket": (ALL,),  # a basket is made for whoever looks; what is in it is another table
    "spirit_user_userprofile": ("last_seen", "last_ip"),
    "spirit_topic_topic": ("view_count",),
    "spirit_topic_unread_topicunread": (ALL,),
    "spirit_comment_bookmark_commentbookmark": (ALL,),
    "spirit_topic_notification_topicnotification": ("is_read",),
    "session": (ALL,),
    "session_attribute": (ALL,),
    "auth_cookie": (ALL,),
    "cache": (ALL,),
}
"""table -> columns that looking around changes, in any task."""
