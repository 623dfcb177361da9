"""Notifications about new leads, new or grown stories, and failures: each sent once to every destination of a team.

`webhooks` holds the configuration, `schema` and `outbox` the record of what was sent. `selection` decides what is due,
`notification` builds its content, `formatting`, `slack` and `teams` its payload. `webhook_client` posts one message;
`delivery` orders these steps. Runs and checks that fail are found by the sensor and handed in as `incidents`.
"""
