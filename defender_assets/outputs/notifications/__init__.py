"""Notices: new leads, new or grown stories and failures, told once to each receiver of a team.

`webhooks` who is told · `schema`, `ledger` what was told · `health`, `notice`, `news` what is to be told · `texts`,
`slack`, `teams` as messages · `post` over HTTP · `rounds` in which order, so that nothing is lost or told twice.
"""

from defender_assets.outputs.notifications.schema import NOTICE_COLUMNS, SENT_NOTICES
from defender_assets.outputs.notifications.webhooks import Notifying, Webhook, notifying

__all__ = ["NOTICE_COLUMNS", "SENT_NOTICES", "Notifying", "Webhook", "notifying"]
