"""Notifications: new leads, new or grown stories, and failures, sent once to each destination of a team.

`webhooks` configures the destinations. `schema` and `outbox` record what was sent. `incidents`, `notification` and
`selection` decide what to send. `formatting`, `slack` and `teams` write the messages, `webhook_client` posts them, and
`delivery` orders the steps so that nothing is lost or sent twice.
"""

from defender_assets.outputs.notifications.schema import NOTICE_COLUMNS, SENT_NOTICES
from defender_assets.outputs.notifications.webhooks import NotificationConfig, Webhook, notification_config

__all__ = ["NOTICE_COLUMNS", "SENT_NOTICES", "NotificationConfig", "Webhook", "notification_config"]
